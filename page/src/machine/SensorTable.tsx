/** Sensors that are missing or suspect in one window. */

import type { Diagnosis, Topology } from "../api/types";
import { displayName, percent, SENSOR_WORDS } from "../text/words";
import { sensorStates } from "./states";

interface Props {
  readonly topology: Topology;
  readonly diagnosis: Diagnosis | null;
  readonly component: string | null;
}

export function SensorTable({ topology, diagnosis, component }: Props) {
  if (!diagnosis) return null;
  const states = sensorStates(topology, diagnosis);
  const suspect = topology.components
    .filter((each) => component === null || each.id === component)
    .flatMap((each) => each.sensors.map((sensor) => ({ sensor, of: each.id })))
    .filter(
      ({ sensor }) => states.get(sensor.id) !== "ok" || diagnosis.missing[sensor.id] !== undefined,
    );
  return (
    <section aria-labelledby="sensors">
      <h2 id="sensors">Sensors</h2>
      {!suspect.length && <p>All sensors are in order.</p>}
      {suspect.length > 0 && (
        <table class="cards">
          <caption class="hidden">Sensors that are missing or suspect</caption>
          <thead>
            <tr>
              <th scope="col">Sensor</th>
              <th scope="col">Part</th>
              <th scope="col">State</th>
            </tr>
          </thead>
          <tbody>
            {suspect.map(({ sensor, of }) => (
              <tr key={sensor.id} data-sensor={sensor.id}>
                <th scope="row">
                  {sensor.id} <small>{displayName(sensor.kind)}</small>
                </th>
                <td data-name="Part">{displayName(of)}</td>
                <td data-name="State">
                  {stateText(diagnosis, sensor.id, SENSOR_WORDS[states.get(sensor.id) ?? "ok"])}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function stateText(diagnosis: Diagnosis, sensor: string, state: string): string {
  const reason = diagnosis.fitness?.sensors[sensor]?.reason;
  const missing = diagnosis.missing[sensor]?.samples ?? 0;
  const share = missing > 0 && missing < 1 ? `${percent(missing)} of its samples are missing` : "";
  return [state, reason, share].filter(Boolean).join("; ");
}
