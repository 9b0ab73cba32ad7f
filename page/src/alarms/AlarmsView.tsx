/** All alarms, by state, severity and machine. */

import { withQuery } from "../api/client";
import { useLoaded, useNow } from "../api/hooks";
import type { AlarmPage } from "../api/types";
import { NeedsDatabase, Notice } from "../parts/Notice";
import { changeQuery, routeTo, type Route } from "../route";
import { AlarmTable } from "./AlarmTable";

const PAGE = 50;
const STATES = { "": "All states", open: "Open", acknowledged: "Acknowledged", closed: "Closed" };
const SEVERITIES = { "": "All severities", critical: "Critical", warning: "Warning", info: "Info" };

export function AlarmsView({ route }: { route: Route }) {
  const { state = "open", severity = "", equipment_id = "", cursor = "" } = route.query;
  const filter = { state: state === "all" ? "" : state, severity, equipment_id };
  const loaded = useLoaded<AlarmPage>(withQuery("v1/alarms", { ...filter, limit: PAGE, cursor }));
  const now = useNow();
  const alarms = loaded.value?.alarms ?? [];
  return (
    <main>
      <div class="heading">
        <h1>Alarms</h1>
        <div class="filters">
          <Choice
            label="State"
            options={STATES}
            value={filter.state}
            onChange={(value) => changeQuery(route, { state: value || "all", cursor: null })}
          />
          <Choice
            label="Severity"
            options={SEVERITIES}
            value={severity}
            onChange={(value) => changeQuery(route, { severity: value, cursor: null })}
          />
          {equipment_id && (
            <span>
              Only {equipment_id}{" "}
              <a href={routeTo(["alarms"], { ...route.query, equipment_id: null })}>
                Show all machines
              </a>
            </span>
          )}
        </div>
      </div>
      {loaded.absent ? <NeedsDatabase what="Alarms" /> : <Notice loaded={loaded} what="alarms" />}
      {loaded.value && !alarms.length && <p>No such alarms.</p>}
      {alarms.length > 0 && <AlarmTable alarms={alarms} ofMachine={false} now={now} />}
      <nav class="pager" aria-label="Older and newer alarms">
        {cursor && <a href={routeTo(["alarms"], { ...route.query, cursor: null })}>Newest</a>}
        {loaded.value?.next && (
          <a href={routeTo(["alarms"], { ...route.query, cursor: loaded.value.next })}>Older</a>
        )}
      </nav>
    </main>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly options: Readonly<Record<string, string>>;
  readonly value: string;
  readonly onChange: (value: string) => void;
}

function Choice({ label, options, value, onChange }: ChoiceProps) {
  return (
    <label class="inline">
      {label}{" "}
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {Object.entries(options).map(([name, words]) => (
          <option key={name} value={name}>
            {words}
          </option>
        ))}
      </select>
    </label>
  );
}
