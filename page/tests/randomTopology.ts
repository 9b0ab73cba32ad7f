import { chance } from "../dev/fleet";
import type { Line, LineKind, Topology } from "../src/api/types";

const KINDS = [
  "tank",
  "pump",
  "electric_motor",
  "servo_valve",
  "directional_valve",
  "relief_valve",
  "cylinder",
  "hydraulic_motor",
  "accumulator",
  "filter",
  "cooler",
  "manifold",
  "gearbox",
];
const LINES: readonly LineKind[] = [
  "pressure_line",
  "return_line",
  "suction_line",
  "drain_line",
  "pilot_line",
  "mechanical",
  "link",
];

/** Return a connected circuit that no engineer would build: any kind joined with any other. */
export function randomTopology(seed: number, count = 4 + (seed % 14)): Topology {
  const pick = <T>(choices: readonly T[], ...of: (string | number)[]): T =>
    choices[Math.floor(chance(seed, ...of) * choices.length)] as T;
  const components = Array.from({ length: count }, (_, index) => ({
    id: `${pick(["part", "left_hand_valve", "p", "counterbalance_of_slide"], "name", index)}_${index}`,
    kind: pick(KINDS, "kind", index),
    name: "",
    nominal: {},
    sensors: Array.from({ length: Math.floor(4 * chance(seed, "sensors", index)) }, (__, at) => ({
      id: `s${index}_${at}`,
      kind: "pressure",
      unit: "bar",
      position: null,
      description: "",
    })),
  }));
  const line = (from: number, to: number): Line => ({
    source: components[from]?.id ?? "",
    target: components[to]?.id ?? "",
    kind: pick(LINES, "line", from, to),
  });
  const tree = components
    .slice(1)
    .map((_, index) => line(Math.floor(chance(seed, "tree", index) * (index + 1)), index + 1));
  const more = Array.from({ length: Math.floor(count / 3) }, (_, index) => [
    Math.floor(chance(seed, "from", index) * count),
    Math.floor(chance(seed, "to", index) * count),
  ]).flatMap(([from = 0, to = 0]) => (from === to ? [] : [line(from, to)]));
  return { id: "random", components, edges: [...tree, ...more] };
}
