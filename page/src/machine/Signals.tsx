/** The signals of one window. */

import { machinePath, withQuery } from "../api/client";
import { useLoaded } from "../api/hooks";
import type {
  Diagnosis,
  EquipmentDetail,
  Topology,
  WindowSignal,
  WindowSignals,
} from "../api/types";
import { SignalPlot } from "../charts/SignalPlot";
import { dateTime, zoneName } from "../text/time";
import { displayName } from "../text/words";
import { sensorStates } from "./states";

const POINTS = 300;
const ABSENT: WindowSignal = { unit: "", state: "missing", values: [] };

interface Props {
  readonly detail: EquipmentDetail;
  readonly diagnosis: Diagnosis | null;
  readonly component: string | null;
}

export function Signals({ detail, diagnosis, component }: Props) {
  const { equipment, topology } = detail.machine;
  const path = machinePath(equipment.equipment_id, "/signals");
  const start = diagnosis?.window.start;
  const stored = useLoaded<WindowSignals>(
    start ? withQuery(path, { start, points: POINTS }) : null,
  );
  const shown = stored.value ?? (stored.error ? fromMemory(detail, diagnosis) : null);
  const wanted = sensorsOf(topology, component);
  return (
    <section aria-labelledby="signals">
      <h2 id="signals">Signals</h2>
      {!diagnosis && <p class="quiet">No window was diagnosed yet.</p>}
      {diagnosis && stored.error && !shown && (
        <p class="quiet">
          The telemetry of this window is not in the service’s memory; it needs a database.
        </p>
      )}
      {shown && !wanted.length && component !== null && (
        <p>{displayName(component)} has no sensors.</p>
      )}
      <div class="signals">
        {shown &&
          wanted.map((id) => (
            <SignalPlot
              key={id}
              name={id}
              signal={shown.signals[id] ?? ABSENT}
              start={Date.parse(shown.start)}
              end={Date.parse(shown.end)}
            />
          ))}
      </div>
      {shown && wanted.length > 0 && (
        <p class="quiet">
          From {dateTime(shown.start, true)} to {dateTime(shown.end, true)},{" "}
          {zoneName(new Date(shown.end))}.
          {wanted.some((id) => shown.signals[id]?.moments?.length) &&
            " Shaded: what drove the answer."}
        </p>
      )}
    </section>
  );
}

function sensorsOf(topology: Topology, component: string | null): string[] {
  return topology.components
    .filter((each) => component === null || each.id === component)
    .flatMap((each) => each.sensors.map((sensor) => sensor.id));
}

/** Return the signals of the last window from the service's memory; null for another window. */
function fromMemory(detail: EquipmentDetail, diagnosis: Diagnosis | null): WindowSignals | null {
  const inMemory = detail.diagnosis;
  if (!inMemory || inMemory.window.start !== diagnosis?.window.start) return null;
  const start = Date.parse(inMemory.window.start);
  const length = Date.parse(inMemory.window.end) - start;
  const states = sensorStates(detail.machine.topology, inMemory);
  const signals = Object.entries(detail.signals).map(([id, { unit, values }]) => {
    const at = (index: number) => new Date(start + (length * index) / values.length).toISOString();
    const state = states.get(id) ?? "ok";
    return [
      id,
      { unit, state, values: values.map((value, index) => [at(index), value, value] as const) },
    ] as const;
  });
  return { ...inMemory.window, signals: Object.fromEntries(signals) };
}
