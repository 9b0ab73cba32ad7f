/** What a diagnosis says of components and sensors, as the circuit shows it. */

import type { Diagnosis, SensorState, Topology } from "../api/types";
import type { ComponentState } from "../circuit/DrawnPart";
import { healthState } from "../text/words";

/** Above this share of its threshold, a distance from normal is an alarm. */
const NORMAL_UP_TO = 1;

export function machineState(diagnosis: Diagnosis | null): ComponentState {
  if (!diagnosis) return { state: "unjudged", health: null };
  const { health, normality } = diagnosis;
  const findings = [diagnosis.machine, ...Object.values(diagnosis.components)].flatMap((each) =>
    Object.values(each),
  );
  const cannotTell = findings.some((each) => each.reliable === false);
  if (health === null && normality) return normalityState(normality.machine);
  return { state: healthState(health, cannotTell), health };
}

export function componentStates(
  topology: Topology,
  diagnosis: Diagnosis | null,
): Map<string, ComponentState> {
  return new Map(
    topology.components.map(({ id }) => {
      const health = diagnosis?.component_health[id] ?? null;
      const findings = Object.values(diagnosis?.components[id] ?? {});
      const cannotTell = findings.some((each) => each.reliable === false);
      const distance = diagnosis?.normality?.components[id];
      if (!findings.length && distance !== undefined)
        return [id, normalityState(distance)] as const;
      return [id, { state: healthState(health, cannotTell), health }] as const;
    }),
  );
}

/** A model of normality knows no health, only whether something is as it was. */
function normalityState(distance: number | null): ComponentState {
  if (distance === null) return { state: "unknown", health: null };
  return { state: distance > NORMAL_UP_TO ? "faulty" : "sound", health: null };
}

/** Return the state of each sensor; one of which all samples are missing counts as missing. */
export function sensorStates(
  topology: Topology,
  diagnosis: Diagnosis | null,
): Map<string, SensorState> {
  const sensors = topology.components.flatMap((component) => component.sensors);
  return new Map(
    sensors.map(({ id }) => {
      const absent = diagnosis?.missing[id]?.samples === 1;
      return [id, diagnosis?.fitness?.sensors[id]?.state ?? (absent ? "missing" : "ok")] as const;
    }),
  );
}
