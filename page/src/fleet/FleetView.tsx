/** All machines, the worst first. */

import { useNow, useSettled } from "../api/hooks";
import type { FleetMachine, Severity } from "../api/types";
import { Sparkline } from "../charts/Sparkline";
import { HealthLegend, HealthText } from "../parts/Health";
import { Notice } from "../parts/Notice";
import { Pager } from "../parts/Pager";
import { SeverityTag } from "../parts/Severity";
import { changeQuery, routeTo, type Route } from "../route";
import { ago, dateTime, duration, isSilent } from "../text/time";
import { counted, displayName, healthState } from "../text/words";
import { PAGE, useOverview } from "./overview";

export function FleetView({ route }: { route: Route }) {
  const search = route.query["search"] ?? "";
  const offset = Number(route.query["offset"] ?? 0);
  const overview = useOverview(useSettled(search), offset);
  const now = useNow();
  const machines = overview.value?.machines ?? [];
  return (
    <main>
      <div class="heading">
        <h1>Machines</h1>
        <label class="search">
          <span>Search</span>
          <input
            type="search"
            value={search}
            placeholder="Name or ID"
            onInput={(event) =>
              changeQuery(route, { search: event.currentTarget.value, offset: null }, true)
            }
          />
        </label>
      </div>
      <Notice loaded={overview} what="machines" />
      {overview.value && !machines.length && (
        <p>{search ? `No machine matches “${search}”.` : "No machines yet."}</p>
      )}
      {machines.length > 0 && (
        <table class="cards fleet">
          <caption class="quiet">
            {counted(overview.value?.total ?? 0, "machine")}, worst first
          </caption>
          <thead>
            <tr>
              <th scope="col">Machine</th>
              <th scope="col">Health</th>
              <th scope="col">Trend</th>
              <th scope="col">Open alarms</th>
              <th scope="col">Last seen</th>
            </tr>
          </thead>
          <tbody>
            {machines.map((machine) => (
              <FleetRow key={machine.equipment_id} machine={machine} now={now} />
            ))}
          </tbody>
        </table>
      )}
      <Pager offset={offset} size={PAGE} total={overview.value?.total ?? 0} route={route} />
      <HealthLegend />
    </main>
  );
}

function FleetRow({ machine, now }: { machine: FleetMachine; now: number }) {
  const silent = isSilent(machine.last_seen, now);
  return (
    <tr class={silent ? "is-silent" : ""}>
      <th scope="row">
        <a href={routeTo(["machines", machine.equipment_id])}>{machine.name}</a>
        <small>
          {machine.equipment_id} · {displayName(machine.topology)}
        </small>
      </th>
      <td data-name="Health">
        <HealthText
          state={healthState(machine.health, machine.cannot_tell)}
          health={machine.health}
        />
        {machine.finding && <small>{displayName(machine.finding)}</small>}
      </td>
      <td data-name="Trend">
        <Sparkline points={machine.trend} />
      </td>
      <td data-name="Open alarms">
        <AlarmCount
          count={machine.open_alarms}
          worst={machine.worst}
          equipmentId={machine.equipment_id}
        />
      </td>
      <td data-name="Last seen">
        <LastSeen at={machine.last_seen} now={now} />
      </td>
    </tr>
  );
}

function AlarmCount(props: { count: number; worst: Severity | null; equipmentId: string }) {
  const { count, worst, equipmentId } = props;
  if (!count || !worst) return <span class="quiet">None</span>;
  return (
    <a href={routeTo(["alarms"], { state: "open", equipment_id: equipmentId })}>
      <SeverityTag severity={worst} /> {count}
    </a>
  );
}

/** Say when a machine was last seen; a silent one is named so. */
export function LastSeen({ at, now }: { at: string | null; now: number }) {
  if (at === null) return <span class="quiet">Not known</span>;
  const silent = isSilent(at, now);
  return (
    <time dateTime={at} title={dateTime(at, true)}>
      {silent ? (
        <strong class="silent">{duration(now - Date.parse(at))} ago: silent</strong>
      ) : (
        ago(at, now)
      )}
    </time>
  );
}
