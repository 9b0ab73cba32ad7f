/** A made-up fleet whose faults grow with time, to see the page with. None of it is shipped. */

import type { Diagnosis, Finding, Machine, SensorState } from "../src/api/types.ts";
import { FILES, readMachine, type Kind } from "./machines.ts";

export const WINDOW_MS = 60_000;
const DAY_MS = 86_400_000;
const LABELS = [
  "pressure_drop",
  "overheating",
  "cavitation",
  "leakage",
  "vibration_anomaly",
  "flow_restriction",
  "contamination",
  "seal_degradation",
  "valve_stiction",
];
/** Which fault each kind of component can have. */
const FAULTS: Readonly<Record<string, string>> = {
  pump: "leakage",
  cylinder: "seal_degradation",
  filter: "flow_restriction",
  cooler: "overheating",
  proportional_valve: "valve_stiction",
  servo_valve: "valve_stiction",
  accumulator: "pressure_drop",
};

export interface Example {
  readonly machine: Machine;
  readonly seed: number;
  readonly fault: {
    readonly component: string;
    readonly label: string;
    readonly began: number;
    readonly days: number;
  } | null;
  readonly lastSeen: number;
  readonly broken: ReadonlyMap<string, SensorState>;
}

/** Return a number from 0 to 1 that depends on its arguments alone. */
export function chance(...parts: readonly (number | string)[]): number {
  let hash = 2166136261;
  for (const letter of parts.join("|")) hash = Math.imul(hash ^ letter.charCodeAt(0), 16777619);
  hash = Math.imul(hash ^ (hash >>> 15), 2246822519);
  return ((hash ^ (hash >>> 13)) >>> 0) / 4294967296;
}

export function makeFleet(count: number, now: number): Map<string, Example> {
  const kinds = Object.keys(FILES) as Kind[];
  const machines = new Map(kinds.map((kind) => [kind, readMachine(kind)]));
  const fleet = new Map<string, Example>();
  for (let seed = 0; seed < count; seed++) {
    const kind = kinds[seed % kinds.length] ?? "zema";
    const machine = machines.get(kind);
    if (!machine) continue;
    const id = seed < kinds.length ? kind : `${kind}_${seed}`;
    const name = seed < kinds.length ? machine.equipment.name : `${machine.equipment.name} ${seed}`;
    const located = {
      ...machine.equipment,
      equipment_id: id,
      name,
      location: `Hall ${1 + (seed % 4)}`,
    };
    fleet.set(id, example({ ...machine, equipment: located }, seed, now));
  }
  return fleet;
}

function example(machine: Machine, seed: number, now: number): Example {
  const able = machine.topology.components.filter((each) => FAULTS[each.kind]);
  const component = able[Math.floor(chance("component", seed) * able.length)];
  const hasFault = component !== undefined && (seed < 5 ? seed !== 4 : chance("fault", seed) < 0.1);
  const sensors = machine.topology.components.flatMap((each) => each.sensors);
  const broken = new Map<string, SensorState>();
  if (seed % 3 === 1) {
    broken.set(sensors[5]?.id ?? "", "missing");
    broken.set(sensors[9]?.id ?? "", "stuck");
  }
  const days = 6 + 30 * chance("days", seed);
  return {
    machine,
    seed,
    fault: hasFault
      ? {
          component: component.id,
          label: FAULTS[component.kind] ?? "",
          began: now - days * DAY_MS * (0.35 + 0.5 * chance("began", seed)),
          days,
        }
      : null,
    lastSeen: now - (seed % 7 === 6 ? 5 * 3_600_000 : 20_000 + (seed % 5) * 40_000),
    broken,
  };
}

/** Return the severity of a component's fault at a time: 0 sound, 1 failed. */
export function severity(each: Example, component: string, label: string, time: number): number {
  const noise = 0.03 * chance(each.seed, component, label, Math.floor(time / WINDOW_MS));
  const { fault } = each;
  if (fault?.component !== component || fault.label !== label) return noise;
  return Math.min(1, Math.max(0, (time - fault.began) / (fault.days * DAY_MS)) + noise);
}

export function componentHealth(each: Example, component: string, time: number): number {
  const { fault } = each;
  const worst = fault?.component === component ? severity(each, component, fault.label, time) : 0;
  return 1 - Math.max(worst, severity(each, component, "leakage", time));
}

export function machineHealth(each: Example, time: number): number {
  return Math.min(
    ...each.machine.topology.components.map(({ id }) => componentHealth(each, id, time)),
  );
}

/** Components of which a broken sensor leaves too little to go by. */
function isDoubtful(each: Example, component: string): boolean {
  const own = each.machine.topology.components.find(({ id }) => id === component)?.sensors ?? [];
  return own.some(({ id }) => each.broken.has(id));
}

export function probability(each: Example, component: string, label: string, time: number): number {
  return 1 / (1 + Math.exp(-14 * (severity(each, component, label, time) - 0.3)));
}

const EMPTY: Finding = {
  kind: "regression",
  reliable: true,
  right: 0.97,
  reasons: null,
  outcome: null,
  value: null,
  values: null,
  interval: null,
  unit: null,
  probabilities: null,
  flags: null,
  health: null,
};

export function diagnose(each: Example, start: number): Diagnosis {
  const ids = each.machine.topology.components.map(({ id }) => id);
  const sure = ids.filter((id) => !isDoubtful(each, id));
  const health = Math.min(...sure.map((id) => componentHealth(each, id, start)));
  return {
    equipment_id: each.machine.equipment.equipment_id,
    window: {
      start: new Date(start).toISOString(),
      end: new Date(start + WINDOW_MS).toISOString(),
    },
    model: { task: "diagnosis", version: "3f2a91c0d5" },
    health,
    machine: {
      health: {
        ...EMPTY,
        value: health,
        health,
        interval: [Math.max(0, health - 0.04), Math.min(1, health + 0.04)],
      },
      remaining_life: {
        ...EMPTY,
        value: Math.max(0, 0.9 * health - 0.1),
        unit: "1000 h",
        interval: [0, 0.9 * health],
      },
    },
    components: Object.fromEntries(ids.map((id) => [id, componentFindings(each, id, start)])),
    component_health: Object.fromEntries(sure.map((id) => [id, componentHealth(each, id, start)])),
    normality: null,
    fitness: {
      unlike: false,
      sensors: Object.fromEntries(
        [...each.broken].map(([id, state]) => [id, { state, reason: reasonOf(state) }]),
      ),
    },
    missing: Object.fromEntries(
      [...each.broken].map(([id, state]) => [
        id,
        { samples: state === "missing" ? 1 : 0.1, steps: 0.1 },
      ]),
    ),
  };
}

function reasonOf(state: SensorState): string {
  return state === "missing" ? "no samples" : "it does not change within the window";
}

function componentFindings(each: Example, id: string, time: number): Record<string, Finding> {
  const probabilities = Object.fromEntries(
    LABELS.map((label) => [label, probability(each, id, label, time)]),
  );
  const flags = LABELS.filter((label) => (probabilities[label] ?? 0) > 0.5);
  const health = componentHealth(each, id, time);
  if (isDoubtful(each, id)) {
    const reasons = [
      "38% of what this answer is usually based on is not there",
      "a sensor is missing",
    ];
    const withheld = { ...EMPTY, reliable: false, right: 0.61, outcome: "cannot_tell", reasons };
    return { component_health: withheld, component_anomalies: { ...withheld, probabilities } };
  }
  return {
    component_health: {
      ...EMPTY,
      value: health,
      health,
      interval: [Math.max(0, health - 0.05), Math.min(1, health + 0.05)],
    },
    component_anomalies: { ...EMPTY, kind: "multi_label", probabilities, flags },
  };
}

export { LABELS };
