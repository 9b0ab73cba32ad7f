/** One machine: its circuit, what was found, its history, its signals and its alarms. */

import { machinePath, withQuery } from "../api/client";
import { useLoaded, useNow } from "../api/hooks";
import type { Diagnosis, DiagnosisPage, EquipmentDetail, Machine } from "../api/types";
import { MachineAlarms } from "../alarms/MachineAlarms";
import { Circuit } from "../circuit/Circuit";
import { LastSeen } from "../fleet/FleetView";
import { HealthLegend, HealthText } from "../parts/Health";
import { Notice } from "../parts/Notice";
import { changeQuery, routeTo, type Route } from "../route";
import { dateTime } from "../text/time";
import { displayName } from "../text/words";
import { FindingsTable } from "./FindingsTable";
import { History } from "./History";
import { SensorTable } from "./SensorTable";
import { Signals } from "./Signals";
import { componentStates, machineState, sensorStates } from "./states";
import { Windows } from "./Windows";

export function MachineView({ route, equipmentId }: { route: Route; equipmentId: string }) {
  const detail = useLoaded<EquipmentDetail>(machinePath(equipmentId));
  const { newest, shown } = useDiagnoses(equipmentId, route, detail.value?.diagnosis ?? null);
  const machine = detail.value?.machine;
  return (
    <main>
      <nav aria-label="Path" class="path">
        <a href="#/">Machines</a>
      </nav>
      <Notice loaded={detail} what="the machine" />
      {machine && (
        <>
          <MachineHeading machine={machine} shown={shown} newest={newest} route={route} />
          <MachineBody route={route} detail={detail.value} shown={shown} newest={newest} />
        </>
      )}
    </main>
  );
}

/** Return the newest diagnosis and the shown one: of the window at the route's moment, or the newest. */
function useDiagnoses(equipmentId: string, route: Route, inMemory: Diagnosis | null) {
  const path = machinePath(equipmentId, "/diagnoses");
  const last = useLoaded<DiagnosisPage>(withQuery(path, { limit: 1 }));
  const newest = last.value?.diagnoses[0] ?? inMemory;
  const from = route.query["window"] ?? "";
  const asked = useLoaded<DiagnosisPage>(
    from && newest ? withQuery(path, { from, to: oneWindowLater(from, newest), limit: 1 }) : null,
  );
  return { newest, shown: from ? (asked.value?.diagnoses[0] ?? null) : newest };
}

/** Return when a window that begins at a moment ends; diagnoses are found by their ends. */
function oneWindowLater(moment: string, { window }: Diagnosis): string {
  const length = Date.parse(window.end) - Date.parse(window.start);
  return new Date(Date.parse(moment) + length).toISOString();
}

interface Shown {
  readonly shown: Diagnosis | null;
  readonly newest: Diagnosis | null;
  readonly route: Route;
}

function MachineHeading({ machine, shown, newest, route }: Shown & { machine: Machine }) {
  const { equipment } = machine;
  const now = useNow();
  const plate = [
    equipment.manufacturer,
    equipment.model,
    equipment.serial_number,
    equipment.location,
  ];
  const { state, health } = machineState(shown);
  return (
    <header class="heading">
      <div>
        <h1>{equipment.name}</h1>
        <p class="quiet">{[equipment.equipment_id, ...plate].filter(Boolean).join(" · ")}</p>
      </div>
      <p class="facts">
        <HealthText state={state} health={health} />
        {newest && (
          <span>
            Last seen <LastSeen at={newest.window.end} now={now} />
          </span>
        )}
      </p>
      {shown && (
        <p class="window">
          Window of {dateTime(shown.window.start, true)} to {dateTime(shown.window.end, true)}
          {route.query["window"] && (
            <>
              {" "}
              <a href={routeTo(route.parts, { ...route.query, window: null })}>Show the newest</a>
            </>
          )}
        </p>
      )}
    </header>
  );
}

function MachineBody({ route, detail, shown, newest }: Shown & { detail: EquipmentDetail }) {
  const { topology, equipment } = detail.machine;
  const chosen = route.query["component"] ?? null;
  const choose = (component: string | null) => changeQuery(route, { component }, true);
  return (
    <>
      <section aria-labelledby="circuit">
        <h2 id="circuit">Circuit</h2>
        <Circuit
          topology={topology}
          states={componentStates(topology, shown)}
          sensors={sensorStates(topology, shown)}
          chosen={chosen}
          onChoose={(component) => choose(component === chosen ? null : component)}
        />
        <HealthLegend />
        {chosen !== null && (
          <p class="chosen">
            Only <strong>{displayName(chosen)}</strong> below{" "}
            <button type="button" onClick={() => choose(null)}>
              Show all
            </button>
          </p>
        )}
      </section>
      <MachineAlarms equipmentId={equipment.equipment_id} component={chosen} />
      <FindingsTable diagnosis={shown} component={chosen} />
      <SensorTable topology={topology} diagnosis={shown} component={chosen} />
      <History
        route={route}
        equipmentId={equipment.equipment_id}
        component={chosen}
        newest={newest}
      />
      <Signals detail={detail} diagnosis={shown} component={chosen} />
      <Windows route={route} equipmentId={equipment.equipment_id} newest={newest} />
    </>
  );
}
