/** Words for what the service answers with identifiers and numbers. */

import type { AlarmEvent, AlarmState, Finding, SensorState, Verdict } from "../api/types";

/** Return an identifier as people write it: `main_pump` is "Main pump"; `PS1` stays. */
export function displayName(identifier: string): string {
  const words = identifier.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** What is known of a health: each state has a colour, a mark and a word of its own. */
export type HealthState = "sound" | "degraded" | "faulty" | "unknown" | "unjudged";

const SOUND_FROM = 0.8;
/** Below this the service reports a finding. */
const FAULTY_BELOW = 0.5;
/** The most components that are named for an alarm. */
const MOST_BLAMED = 3;

/** Judge a health; `cannotTell` says that an answer is there that is not reliable. */
export function healthState(health: number | null | undefined, cannotTell: boolean): HealthState {
  if (health === null || health === undefined) return cannotTell ? "unknown" : "unjudged";
  if (health >= SOUND_FROM) return "sound";
  return health >= FAULTY_BELOW ? "degraded" : "faulty";
}

export const HEALTH_WORDS: Readonly<Record<HealthState, string>> = {
  sound: "Sound",
  degraded: "Degraded",
  faulty: "Faulty",
  unknown: "Cannot tell",
  unjudged: "Not judged",
};

export const SENSOR_WORDS: Readonly<Record<SensorState, string>> = {
  ok: "In order",
  missing: "Missing",
  stuck: "Stuck",
  doubtful: "Doubtful",
};

export const ALARM_WORDS: Readonly<Record<AlarmState, string>> = {
  open: "Open",
  acknowledged: "Acknowledged",
  closed: "Closed",
};

export const VERDICT_WORDS: Readonly<Record<Verdict, string>> = {
  confirmed: "Confirmed",
  false_alarm: "False alarm",
  repaired: "Repaired",
};

export const ACTION_WORDS: Readonly<Record<AlarmEvent["action"], string>> = {
  raised: "Raised",
  acknowledged: "Acknowledged",
  over: "Over",
  reopened: "Reopened",
  closed: "Closed",
  commented: "Comment",
  judged: "Judged",
};

/** Return a share of 1 as a percentage without decimals. */
export function percent(share: number): string {
  return `${Math.round(100 * share)} %`;
}

/** Return a number with three digits and its unit. */
export function quantity(value: number, unit: string): string {
  const digits = Number(value.toPrecision(3)).toLocaleString("en", {
    maximumFractionDigits: 6,
    useGrouping: false,
  });
  return unit ? `${digits} ${unitName(unit)}` : digits;
}

const UNITS: Readonly<Record<string, string>> = {
  degC: "°C",
  degF: "°F",
  mm2: "mm²",
  "mm2/s": "mm²/s",
  "m/s2": "m/s²",
  "m3/h": "m³/h",
  "1": "",
};

export function unitName(unit: string): string {
  return UNITS[unit] ?? unit;
}

/** Say in a few words what a head found; null if there is nothing to say. */
export function findingText(head: string, finding: Finding): string {
  if (finding.reliable === false) return "Cannot tell";
  if (finding.flags)
    return finding.flags.length ? finding.flags.map(displayName).join(", ") : "None found";
  if (finding.outcome !== null) return displayName(finding.outcome);
  if (isHealth(finding)) return `Health ${percent(finding.value)}`;
  if (finding.value !== null) return quantity(finding.value, finding.unit ?? "");
  if (finding.values) {
    const unit = finding.unit ?? "";
    const highest = Object.entries(finding.values).toSorted(([, one], [, other]) => other - one)[0];
    return highest ? `${displayName(highest[0])} ${quantity(highest[1], unit)}` : displayName(head);
  }
  return finding.health === null ? "Not judged" : percent(finding.health);
}

/** Say whether a finding's value is a health itself. */
export function isHealth(finding: Finding): finding is Finding & { value: number } {
  return finding.value !== null && finding.value === finding.health;
}

/** Say whether a finding calls for attention. */
export function isFinding(finding: Finding): boolean {
  if (finding.reliable === false) return false;
  return (
    (finding.flags?.length ?? 0) > 0 || (finding.health !== null && finding.health < FAULTY_BELOW)
  );
}

/** Return the components that are most probably to blame, the most probable one first. */
export function mostToBlame(blame: Readonly<Record<string, number>>): readonly [string, number][] {
  return Object.entries(blame)
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, MOST_BLAMED);
}

/** Return a count with its noun: "1 alarm", "3 alarms". */
export function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
}
