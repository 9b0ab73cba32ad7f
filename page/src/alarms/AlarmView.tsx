/** One alarm: what it says, what drove it, what happened to it. */

import { useLoaded, useNow } from "../api/hooks";
import type { Alarm } from "../api/types";
import { Notice } from "../parts/Notice";
import { SeverityTag } from "../parts/Severity";
import { routeTo } from "../route";
import { dateTime, zoneName } from "../text/time";
import {
  ACTION_WORDS,
  ALARM_WORDS,
  counted,
  displayName,
  percent,
  VERDICT_WORDS,
} from "../text/words";
import { AlarmActions } from "./AlarmActions";
import { alarmTitle, lasting } from "./AlarmTable";

export function AlarmView({ alarmId }: { alarmId: string }) {
  const loaded = useLoaded<Alarm>(`v1/alarms/${encodeURIComponent(alarmId)}`);
  const alarm = loaded.value;
  return (
    <main>
      <nav aria-label="Path" class="path">
        <a href="#/alarms">Alarms</a>
      </nav>
      <Notice loaded={loaded} what="the alarm" />
      {alarm && (
        <>
          <h1>{alarmTitle(alarm)}</h1>
          <AlarmFacts alarm={alarm} />
          <Drivers alarm={alarm} />
          <AlarmActions alarm={alarm} onDone={loaded.reload} />
          <Events alarm={alarm} />
        </>
      )}
    </main>
  );
}

function AlarmFacts({ alarm }: { alarm: Alarm }) {
  const now = useNow();
  const machine = routeTo(["machines", alarm.equipment_id], {
    component: alarm.component_id,
    window: alarm.since,
  });
  return (
    <dl class="facts-list">
      <dt>Severity</dt>
      <dd>
        <SeverityTag severity={alarm.severity} />
      </dd>
      <dt>State</dt>
      <dd>
        {ALARM_WORDS[alarm.state]}
        {alarm.verdict && `: ${VERDICT_WORDS[alarm.verdict].toLowerCase()}`}
      </dd>
      <dt>Machine</dt>
      <dd>
        <a href={machine}>{alarm.equipment_id} when it began</a>
      </dd>
      <dt>Since</dt>
      <dd>
        {dateTime(alarm.since, true)}, {zoneName(new Date(alarm.since))}; {lasting(alarm, now)}
      </dd>
      <dt>Seen in</dt>
      <dd>
        {counted(alarm.windows, "window")}, last {dateTime(alarm.last_at, true)}
      </dd>
      <dt>Rule</dt>
      <dd>
        {displayName(alarm.rule)}: {displayName(alarm.head).toLowerCase()}, at its peak{" "}
        {alarm.peak.toPrecision(3)}
      </dd>
      <dt>Model</dt>
      <dd>{alarm.model}</dd>
    </dl>
  );
}

function Drivers({ alarm }: { alarm: Alarm }) {
  if (!alarm.drivers?.length) return <p class="quiet">Which sensors drove it is not known.</p>;
  return (
    <section aria-labelledby="drivers">
      <h2 id="drivers">What drove it</h2>
      <ul class="drivers">
        {alarm.drivers.map(({ sensor, share }) => (
          <li key={sensor}>
            <span>{sensor}</span>
            <meter min={0} max={1} value={share} aria-label={`Share of ${sensor}`} />
            <span>{percent(share)}</span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Events({ alarm }: { alarm: Alarm }) {
  return (
    <section aria-labelledby="events">
      <h2 id="events">Events</h2>
      <ol class="events">
        {alarm.events.map((event, index) => (
          <li key={index}>
            <time dateTime={event.at}>{dateTime(event.at, true)}</time>
            <strong>{ACTION_WORDS[event.action]}</strong>
            {event.verdict && `: ${VERDICT_WORDS[event.verdict].toLowerCase()}`} by {event.actor}
            {event.note && <blockquote>{event.note}</blockquote>}
          </li>
        ))}
      </ol>
    </section>
  );
}
