/** Alarms of the made-up service; what is done to them stays until it stops. */

import type { Alarm, AlarmEvent, AlarmPage, Verdict } from "../src/api/types.ts";
import { severity, WINDOW_MS, type Example } from "./fleet.ts";

const DAY_MS = 86_400_000;

export class Alarms {
  private readonly all: Alarm[];

  constructor(fleet: ReadonlyMap<string, Example>) {
    this.all = [...fleet.values()]
      .flatMap((each) => alarmOf(each))
      .map((alarm, index) => ({ ...alarm, alarm_id: index + 1 }));
  }

  openOf(equipmentId: string): number {
    return this.all.filter((each) => each.equipment_id === equipmentId && each.state === "open")
      .length;
  }

  list(query: URLSearchParams): AlarmPage {
    const fits = (each: Alarm) =>
      (["state", "equipment_id", "severity"] as const).every(
        (name) => (query.get(name) ?? each[name]) === each[name],
      );
    const found = this.all
      .filter(fits)
      .toSorted((one, other) => other.raised_at.localeCompare(one.raised_at));
    const start = Number(query.get("cursor") ?? 0);
    const end = start + Number(query.get("limit") ?? 50);
    return { alarms: found.slice(start, end), next: end < found.length ? String(end) : null };
  }

  find(id: string): Alarm | undefined {
    return this.all.find((each) => String(each.alarm_id) === id);
  }

  act(id: string, action: string, body: { note?: string; verdict?: Verdict }): Alarm | undefined {
    const index = this.all.findIndex((each) => String(each.alarm_id) === id);
    const before = this.all[index];
    if (!before) return undefined;
    const words = {
      acknowledge: "acknowledged",
      close: "closed",
      reopen: "reopened",
      comment: "commented",
      verdict: "judged",
    } as const;
    const done = words[action as keyof typeof words];
    const event: AlarmEvent = {
      action: done,
      actor: "example",
      note: body.note ?? "",
      verdict: body.verdict ?? null,
      at: new Date().toISOString(),
    };
    const state = {
      acknowledged: "acknowledged",
      closed: "closed",
      reopened: "open",
      commented: before.state,
      judged: before.state,
    } as const;
    const verdict = body.verdict ?? before.verdict;
    const after: Alarm = {
      ...before,
      state: state[done],
      verdict,
      events: [...before.events, event],
    };
    this.all[index] = after;
    return after;
  }
}

function alarmOf(each: Example): Alarm[] {
  const { fault, machine } = each;
  if (!fault) return [];
  const raised = fault.began + 0.35 * fault.days * DAY_MS;
  if (raised > each.lastSeen) return [];
  const peak = severity(each, fault.component, fault.label, each.lastSeen);
  const sensors =
    machine.topology.components.find(({ id }) => id === fault.component)?.sensors ?? [];
  const iso = (time: number) => new Date(time).toISOString();
  return [
    {
      alarm_id: 0,
      equipment_id: machine.equipment.equipment_id,
      rule: "component_faults",
      component_id: fault.component,
      head: "component_anomalies",
      finding: fault.label,
      severity: peak > 0.5 ? "critical" : "warning",
      state: "open",
      since: iso(raised - 5 * WINDOW_MS),
      raised_at: iso(raised),
      last_at: iso(each.lastSeen),
      over_at: null,
      windows: Math.round((each.lastSeen - raised) / WINDOW_MS),
      peak,
      model: "diagnosis 3f2a91c0d5",
      drivers: sensors
        .slice(0, 3)
        .map(({ id }, index) => ({ sensor: id, share: [0.52, 0.24, 0.11][index] ?? 0 })),
      verdict: null,
      events: [{ action: "raised", actor: "watch", note: "", verdict: null, at: iso(raised) }],
    },
  ];
}
