/** What the layout knows of kinds of components and lines. */

import type { Component, Line, LineKind } from "../api/types";

/** How the lines of a component reach its symbol. */
export type Ports = "tank" | "pump" | "valve" | "in-line" | "actuator" | "accumulator" | "free";

const PORTS: Readonly<Record<string, Ports>> = {
  tank: "tank",
  pump: "pump",
  directional_valve: "valve",
  proportional_valve: "valve",
  servo_valve: "valve",
  relief_valve: "in-line",
  reducing_valve: "in-line",
  check_valve: "in-line",
  flow_control_valve: "in-line",
  filter: "in-line",
  cooler: "in-line",
  heater: "in-line",
  cylinder: "actuator",
  hydraulic_motor: "actuator",
  accumulator: "accumulator",
};

const DRIVES: ReadonlySet<string> = new Set(["electric_motor", "combustion_engine"]);
const RETURNING: ReadonlySet<LineKind> = new Set(["return_line", "drain_line"]);

export function portsOf(component: Component): Ports {
  return PORTS[component.kind] ?? "free";
}

/** Say whether a component drives pumps. */
export function isDrive(component: Component): boolean {
  return DRIVES.has(component.kind);
}

/** Say whether oil flows down in a line, back to the tank. */
export function returns(line: Line): boolean {
  return RETURNING.has(line.kind);
}

/** Say whether a pump's displacement can be varied, as that of a pressure-compensated pump is. */
export function isVariable(component: Component): boolean {
  return "cutoff_bar" in component.nominal || "power_kw" in component.nominal;
}
