/** Cells of rows: groups of components, and places where a net passes between them. */

import { groupBy } from "../groupBy";
import type { Component } from "../api/types";
import type { Group, Groups } from "./groups";
import { portsOf } from "./kinds";
import type { Net, Port, Side } from "./nets";
import { labelOf, PITCH, SIDES, symbolSize, type Label, type Size } from "./sizes";

/** A component with its place in its cell; x counts from the cell's left edge. */
export interface Member {
  readonly component: Component;
  readonly label: Label;
  readonly symbol: Size;
  readonly symbolX: number;
  readonly left: number;
  readonly right: number;
  readonly height: number;
  readonly ports: Readonly<Record<Side, readonly Port[]>>;
}

/** A port, or a place where a net passes through a row, with its place in its cell. */
export interface Pin {
  readonly net: number;
  readonly sides: readonly Side[];
  readonly offset: number;
  readonly port: Port | null;
  /** Whether it hangs on a tee, as an accumulator does: the line need not be straight. */
  readonly hangs: boolean;
}

export interface Cell {
  readonly members: readonly Member[];
  readonly width: number;
  /** Replaced when the ports of a side change their order. */
  pins: readonly Pin[];
}

/** Cells from left to right. */
export type Row = Cell[];

/** Space between a symbol and what stands beside it. */
export const BESIDE = 11;
const SHAFT = 26;
const PASSING_WIDTH = 10;

/** Return the rows from the bottom, each with its groups and the nets that pass through it. */
export function makeRows(
  groups: Groups,
  rank: ReadonlyMap<string, number>,
  nets: readonly Net[],
): Row[] {
  const netOf = new Map(nets.flatMap((net) => net.ports.map((port) => [port.id, net.id] as const)));
  const ports = groupBy(
    nets.flatMap((net) => net.ports),
    (port) => port.component,
  );
  const count = Math.max(...rank.values()) + 1;
  const rows: Row[] = Array.from({ length: count }, () => []);
  for (const group of groups.all) {
    const row = rank.get(group[0]?.id ?? "") ?? 0;
    rows[row]?.push(groupCell(group, groups, ports, netOf));
  }
  for (const net of nets) {
    const [first, last] = channelsOf(net, rank);
    for (let row = first; row < last; row++) rows[row]?.push(passingCell(net));
  }
  return rows;
}

/** Return the lowest and the highest channel of a net; channel k is below row k. */
export function channelsOf(net: Net, rank: ReadonlyMap<string, number>): [number, number] {
  const channels = net.ports.map(
    (port) => (rank.get(port.component) ?? 0) + (port.side === "top" ? 1 : 0),
  );
  return [Math.min(...channels), Math.max(...channels)];
}

function passingCell(net: Net): Cell {
  const pin = { net: net.id, sides: SIDES, offset: PASSING_WIDTH / 2, port: null, hangs: false };
  return { members: [], width: PASSING_WIDTH, pins: [pin] };
}

function groupCell(
  group: Group,
  groups: Groups,
  ports: ReadonlyMap<string, readonly Port[]>,
  netOf: ReadonlyMap<string, number>,
): Cell {
  const members: Member[] = [];
  let x = 0;
  for (const component of group) {
    const left = groups.shafts.some(([, right]) => right === component.id);
    const right = groups.shafts.some(([one]) => one === component.id);
    if (members.length) x += left ? SHAFT : 2 * PITCH;
    const own = ports.get(component.id) ?? [];
    const bottom = own.some((port) => port.side === "bottom");
    const member = memberAt(x, component, labelOf(component, { left, right, bottom }), own);
    members.push(member);
    x = member.right;
  }
  const pins = members.flatMap((member) =>
    SIDES.flatMap((side) =>
      member.ports[side].map((port) => ({
        net: netOf.get(port.id) ?? -1,
        sides: [side],
        offset: member.symbolX + member.symbol.width / 2,
        port,
        hangs: portsOf(member.component) === "accumulator",
      })),
    ),
  );
  return { members, width: x, pins };
}

function memberAt(x: number, component: Component, label: Label, ports: readonly Port[]): Member {
  const sides = {
    top: ports.filter((port) => port.side === "top"),
    bottom: ports.filter((port) => port.side === "bottom"),
  };
  const symbol = symbolSize(component, Math.max(sides.top.length, sides.bottom.length));
  const beside = label.width + BESIDE;
  const below = Math.max(symbol.width, label.width);
  const width = label.place === "below" ? below : symbol.width + beside;
  const symbolX = {
    right: x,
    "above-shaft": x,
    left: x + beside,
    below: x + (below - symbol.width) / 2,
  }[label.place];
  // The symbol is in the row's middle, so what hangs on one side of it counts twice.
  const height = {
    right: label.height,
    left: label.height,
    "above-shaft": 2 * label.height,
    below: symbol.height + 2 * (label.height + BESIDE),
  }[label.place];
  return {
    component,
    label,
    symbol,
    symbolX,
    left: x,
    right: x + width,
    height: Math.max(symbol.height, height),
    ports: sides,
  };
}
