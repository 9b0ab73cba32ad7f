/** Times in the viewer's zone. */

const ABSOLUTE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const WITH_SECONDS = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });
const STEPS: readonly (readonly [seconds: number, name: string])[] = [
  [60, "s"],
  [3600, "min"],
  [86_400, "h"],
  [Infinity, "d"],
];

/** Return the name of the viewer's zone, with its offset: "Europe/Berlin (GMT+1)". */
export function zoneName(at: Date = new Date()): string {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "shortOffset" }).formatToParts(at);
  const offset = parts.find((part) => part.type === "timeZoneName")?.value ?? "";
  return timeZone === "UTC" || !offset ? timeZone : `${timeZone} (${offset})`;
}

export function dateTime(iso: string, seconds = false): string {
  return (seconds ? WITH_SECONDS : ABSOLUTE).format(new Date(iso));
}

/** Return a length of time in its largest whole unit: "45 s", "3 min", "5 h", "12 d". */
export function duration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  let size = 1;
  for (const [limit, name] of STEPS) {
    if (seconds < limit) return `${Math.floor(seconds / size)} ${name}`;
    size = limit;
  }
  return "";
}

/** Say how long ago something was: "3 min ago", "just now". */
export function ago(iso: string, now: number): string {
  const passed = now - Date.parse(iso);
  return passed < 10_000 ? "just now" : `${duration(passed)} ago`;
}

/** A machine that has sent nothing for this long is called silent. */
export const SILENT_MS = 15 * 60_000;

export function isSilent(lastSeen: string | null, now: number): boolean {
  return lastSeen !== null && now - Date.parse(lastSeen) > SILENT_MS;
}
