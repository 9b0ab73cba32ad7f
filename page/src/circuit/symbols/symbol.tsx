/** The symbol of each kind of component. */

import type { FunctionComponent } from "preact";
import type { Component } from "../../api/types";
import type { Box, Point } from "../geometry";
import { isVariable } from "../kinds";
import { Cooler, Filter, Heater, Manifold, Tank, Unknown } from "./conditioning";
import {
  Accumulator,
  CombustionEngine,
  Cylinder,
  ElectricMotor,
  HydraulicMotor,
  Pump,
} from "./machines";
import {
  CheckValve,
  DirectionalValve,
  FlowControlValve,
  ProportionalValve,
  ReducingValve,
  ReliefValve,
} from "./valves";

export interface SymbolProps {
  readonly box: Box;
  readonly ports: readonly Point[];
  readonly kind: string;
  readonly variable: boolean;
}

const SYMBOLS: Readonly<Record<string, FunctionComponent<SymbolProps>>> = {
  pump: Pump,
  hydraulic_motor: HydraulicMotor,
  electric_motor: ElectricMotor,
  combustion_engine: CombustionEngine,
  cylinder: Cylinder,
  directional_valve: DirectionalValve,
  proportional_valve: ProportionalValve,
  servo_valve: ProportionalValve,
  relief_valve: ReliefValve,
  reducing_valve: ReducingValve,
  check_valve: CheckValve,
  flow_control_valve: FlowControlValve,
  accumulator: Accumulator,
  filter: Filter,
  cooler: Cooler,
  heater: Heater,
  tank: Tank,
  manifold: Manifold,
};

/** Draw the symbol of a component; a kind of the user's own is a box with its letters. */
export function ComponentSymbol(props: {
  component: Component;
  box: Box;
  ports: readonly Point[];
}) {
  const { component, box, ports } = props;
  const Drawn = SYMBOLS[component.kind] ?? Unknown;
  return <Drawn box={box} ports={ports} kind={component.kind} variable={isVariable(component)} />;
}
