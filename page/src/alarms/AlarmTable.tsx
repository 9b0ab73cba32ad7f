/** Alarms in a table, each with its own page. */

import type { Alarm } from "../api/types";
import { SeverityTag } from "../parts/Severity";
import { routeTo } from "../route";
import { dateTime, duration } from "../text/time";
import { ALARM_WORDS, displayName } from "../text/words";

export function AlarmTable({
  alarms,
  ofMachine,
  now,
}: {
  alarms: readonly Alarm[];
  ofMachine: boolean;
  now: number;
}) {
  return (
    <table class="cards alarms">
      <caption class="hidden">Alarms</caption>
      <thead>
        <tr>
          <th scope="col">Alarm</th>
          <th scope="col">Severity</th>
          {!ofMachine && <th scope="col">Machine</th>}
          <th scope="col">Since</th>
          <th scope="col">State</th>
        </tr>
      </thead>
      <tbody>
        {alarms.map((alarm) => (
          <tr key={alarm.alarm_id} data-alarm={alarm.alarm_id}>
            <th scope="row">
              <a href={routeTo(["alarms", alarm.alarm_id])}>{alarmTitle(alarm)}</a>
            </th>
            <td data-name="Severity">
              <SeverityTag severity={alarm.severity} />
            </td>
            {!ofMachine && (
              <td data-name="Machine">
                <a href={routeTo(["machines", alarm.equipment_id])}>{alarm.equipment_id}</a>
              </td>
            )}
            <td data-name="Since">
              <time dateTime={alarm.since} title={dateTime(alarm.since, true)}>
                {dateTime(alarm.since)}
              </time>
              <small>{lasting(alarm, now)}</small>
            </td>
            <td data-name="State">
              {ALARM_WORDS[alarm.state]}
              {alarm.over_at !== null && alarm.state !== "closed" && <small>no longer seen</small>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Name an alarm by its component and its finding: "Main pump: leakage". */
export function alarmTitle(alarm: Alarm): string {
  const of = alarm.component_id ? displayName(alarm.component_id) : "Machine";
  return `${of}: ${displayName(alarm.finding || alarm.head).toLowerCase()}`;
}

export function lasting(alarm: Alarm, now: number): string {
  const end = alarm.over_at === null ? now : Date.parse(alarm.over_at);
  const length = duration(end - Date.parse(alarm.since));
  return alarm.over_at === null ? `for ${length}` : `lasted ${length}`;
}
