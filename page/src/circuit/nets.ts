/** Ports of components, and nets: the ports that lines connect with each other. */

import type { Component, Line, LineKind, Topology } from "../api/types";
import { portsOf, returns } from "./kinds";

export type Side = "top" | "bottom";

/** Where lines reach the symbol of a component; the layout decides its place on that side. */
export interface Port {
  readonly id: string;
  readonly component: string;
  readonly side: Side;
}

/** Lines that share ports are one net, drawn as one line with junctions, as pipes have tees. */
export interface Net {
  readonly id: number;
  readonly kind: LineKind;
  readonly lines: readonly Line[];
  readonly ports: readonly Port[];
}

/** One end of a line, seen from the component that it reaches. */
interface End {
  readonly line: Line;
  readonly index: number;
  readonly component: Component;
  readonly other: Component;
  readonly arrives: boolean;
}

/** Return the nets of a topology; lines in `drawnAsShafts` are left out. */
export function connect(
  topology: Topology,
  rank: ReadonlyMap<string, number>,
  drawnAsShafts: (line: Line) => boolean,
): readonly Net[] {
  const byId = new Map(topology.components.map((each) => [each.id, each]));
  const portOf = portChooser(topology, rank);
  const netOf = new Map<string, { lines: Line[]; ports: Map<string, Port> }>();
  topology.edges.forEach((line, index) => {
    const [source, target] = [byId.get(line.source), byId.get(line.target)];
    if (drawnAsShafts(line) || !source || !target || source === target) return;
    const ports = [
      portOf({ line, index, component: source, other: target, arrives: false }),
      portOf({ line, index, component: target, other: source, arrives: true }),
    ];
    const joined = { lines: [line], ports: new Map(ports.map((port) => [port.id, port])) };
    for (const port of ports) {
      const met = netOf.get(port.id);
      if (!met || met.lines.some((each) => joined.lines.includes(each))) continue;
      joined.lines.push(...met.lines);
      met.ports.forEach((each) => joined.ports.set(each.id, each));
    }
    joined.ports.forEach((port) => netOf.set(port.id, joined));
  });
  return [...new Set(netOf.values())].map((net, id) => ({
    id,
    kind: net.lines[0]?.kind ?? "link",
    lines: net.lines,
    ports: [...net.ports.values()],
  }));
}

function portChooser(topology: Topology, rank: ReadonlyMap<string, number>): (end: End) => Port {
  const rankOf = (id: string) => rank.get(id) ?? 0;
  const entersAbove = new Map(
    topology.components.map((each) => [each.id, entryIsAbove(each, topology, rankOf)]),
  );
  return (end) => {
    const { component, line } = end;
    const shared = (name: string, side: Side) => port(component, `${name} ${line.kind}`, side);
    const own = (side: Side) => port(component, `line ${end.index}`, side);
    switch (portsOf(component)) {
      case "tank":
        return own("top");
      case "accumulator":
        return line.kind === "gas_line" ? own("top") : shared("oil", "bottom");
      case "pump":
        if (line.kind === "drain_line" || line.kind === "pilot_line") return own("bottom");
        return end.arrives ? shared("in", "bottom") : shared("out", "top");
      case "valve":
        return valvePort(end, shared, own);
      case "actuator":
        return own(line.kind === "mechanical" ? "top" : "bottom");
      case "in-line": {
        if (line.kind === "drain_line" || line.kind === "pilot_line") return own("bottom");
        const above = entersAbove.get(component.id) === end.arrives;
        return shared(end.arrives ? "in" : "out", above ? "top" : "bottom");
      }
      case "free":
        return own(rankOf(end.other.id) >= rankOf(component.id) ? "top" : "bottom");
    }
  };
}

function port(component: Component, name: string, side: Side): Port {
  return { id: `${component.id} ${side} ${name}`, component: component.id, side };
}

/** Supply (P), accumulators and return (T) are below a valve, its consumers above. */
function valvePort(
  end: End,
  shared: (name: string, side: Side) => Port,
  own: (side: Side) => Port,
): Port {
  if (portsOf(end.other) === "accumulator") return shared("P", "bottom");
  if (returns(end.line)) return end.arrives ? own("top") : shared("T", "bottom");
  if (end.line.kind === "pilot_line") return own("bottom");
  return end.arrives ? shared("P", "bottom") : own("top");
}

/** Say whether oil enters an in-line component from above. */
function entryIsAbove(
  component: Component,
  topology: Topology,
  rankOf: (id: string) => number,
): boolean {
  const own = rankOf(component.id);
  const entering = topology.edges.find((line) => line.target === component.id);
  if (entering) return rankOf(entering.source) > own;
  const leaving = topology.edges.find((line) => line.source === component.id);
  return leaving !== undefined && rankOf(leaving.target) < own;
}
