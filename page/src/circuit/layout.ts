/** The drawing of a circuit: where its symbols, labels and lines are. */

import type { Component, LineKind, Topology } from "../api/types";
import { BESIDE, makeRows, type Member, type Row } from "./cells";
import { routeChannel, type Channel, type Wire } from "./channels";
import { placeCells, type Places } from "./columns";
import type { Box, Point, Segment } from "./geometry";
import { groupComponents } from "./groups";
import { connect } from "./nets";
import { orderRows } from "./order";
import { rankComponents } from "./ranks";
import { PITCH, type Label } from "./sizes";

const MARGIN = 16;
const LEAST_CHANNEL = 22;
const ROW_SPACE = 6;

export interface DrawnComponent {
  readonly component: Component;
  readonly symbol: Box;
  /** Where lines reach the edge of the symbol's box. */
  readonly ports: readonly Point[];
  readonly label: Label;
  readonly labelBox: Box;
}

export interface DrawnNet {
  readonly kind: LineKind;
  readonly lines: readonly { readonly source: string; readonly target: string }[];
  readonly segments: readonly Segment[];
  readonly junctions: readonly Point[];
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly components: readonly DrawnComponent[];
  readonly nets: readonly DrawnNet[];
}

/** Lay out a machine. The same topology gives the same drawing. */
export function layOut(topology: Topology): Drawing {
  const groups = groupComponents(topology);
  const rank = rankComponents(topology, groups);
  const onShaft = (line: { source: string; target: string; kind: LineKind }) =>
    line.kind === "mechanical" &&
    groups.shafts.some((pair) => pair.includes(line.source) && pair.includes(line.target));
  const nets = connect(topology, rank, onShaft);
  const rows = makeRows(groups, rank, nets);
  orderRows(rows);
  const places = placeCells(rows);
  const channels = [...rows, []].map((row, index) =>
    routeChannel(row, rows[index - 1] ?? [], places),
  );
  const levels = stack(rows, channels);
  const components = rows.flatMap((row, index) => drawRow(row, levels.middle[index] ?? 0, places));
  const byId = new Map(components.map((each) => [each.component.id, each]));
  const hydraulic = nets.map((net) => {
    const segments = [
      ...channels.flatMap((channel, index) =>
        channel.wires
          .filter((wire) => wire.net === net.id)
          .flatMap((wire) => drawWire(wire, levels, index)),
      ),
      ...rows.flatMap((row, index) => drawInRow(row, index, net.id, levels, places)),
    ];
    return { kind: net.kind, lines: net.lines, segments, junctions: junctionsOf(segments) };
  });
  const shafts = groups.shafts.flatMap(([left, right]) =>
    drawShaft(byId.get(left), byId.get(right)),
  );
  return {
    width:
      Math.max(...rows.flat().map((cell) => (places.get(cell) ?? 0) + cell.width)) + 2 * MARGIN,
    height: levels.bottom + MARGIN,
    components,
    nets: [...hydraulic, ...shafts],
  };
}

interface Levels {
  /** By row: the y of its middle and its half height. */
  readonly middle: readonly number[];
  readonly half: readonly number[];
  /** By channel: the y of its top edge, its bottom edge and its first track. */
  readonly top: readonly number[];
  readonly end: readonly number[];
  readonly bottom: number;
}

/** Return heights: rows above one another, with a channel below each and one above all. */
function stack(rows: readonly Row[], channels: readonly Channel[]): Levels {
  const half = rows.map(
    (row) =>
      Math.max(0, ...row.flatMap((cell) => cell.members.map((each) => each.height))) / 2 +
      ROW_SPACE,
  );
  const heightOf = (index: number) => {
    const { tracks, wires } = channels[index] ?? { tracks: 0, wires: [] };
    return wires.length ? Math.max(LEAST_CHANNEL, (tracks + 1) * PITCH) : 0;
  };
  const [middle, top, end]: [number[], number[], number[]] = [[], [], []];
  let y = MARGIN;
  for (let index = rows.length; index >= 0; index--) {
    top[index] = y;
    y += heightOf(index);
    end[index] = y;
    if (index === 0) break;
    middle[index - 1] = y + (half[index - 1] ?? 0);
    y += 2 * (half[index - 1] ?? 0);
  }
  return { middle, half, top, end, bottom: y };
}

function drawRow(row: Row, middle: number, places: Places): DrawnComponent[] {
  return row.flatMap((cell) =>
    cell.members.map((member) => {
      const x = MARGIN + (places.get(cell) ?? 0);
      const { width, height } = member.symbol;
      const symbol = { x: x + member.symbolX, y: middle - height / 2, width, height };
      const ports = cell.pins
        .filter((pin) => pin.port?.component === member.component.id)
        .map((pin) => ({
          x: x + pin.offset,
          y: pin.sides.includes("top") ? symbol.y : symbol.y + height,
        }));
      const { component, label } = member;
      return { component, symbol, ports, label, labelBox: labelBox(member, symbol, x) };
    }),
  );
}

function labelBox(member: Member, symbol: Box, cellX: number): Box {
  const { label } = member;
  const middle = symbol.y + symbol.height / 2;
  const beside = { ...label, y: middle - label.height / 2 };
  const box = {
    right: { ...beside, x: symbol.x + symbol.width + BESIDE },
    left: { ...beside, x: symbol.x - BESIDE - label.width },
    below: {
      ...label,
      x: cellX + (member.left + member.right - label.width) / 2,
      y: symbol.y + symbol.height + BESIDE,
    },
    "above-shaft": { ...label, x: symbol.x + symbol.width + BESIDE, y: middle - label.height - 4 },
  }[label.place];
  return { x: box.x, y: box.y, width: label.width, height: label.height };
}

function drawWire(wire: Wire, levels: Levels, channel: number): Segment[] {
  const [top, end] = [levels.top[channel] ?? 0, levels.end[channel] ?? 0];
  const xs = [...wire.above, ...wire.below].map((x) => x + MARGIN);
  const [left, right] = [Math.min(...xs), Math.max(...xs)];
  if (wire.track === null) return [{ from: { x: left, y: top }, to: { x: left, y: end } }];
  const y = top + (wire.track + 1) * PITCH;
  return [
    ...wire.above.map((x) => ({ from: { x: x + MARGIN, y: top }, to: { x: x + MARGIN, y } })),
    ...wire.below.map((x) => ({ from: { x: x + MARGIN, y }, to: { x: x + MARGIN, y: end } })),
    { from: { x: left, y }, to: { x: right, y } },
  ];
}

/** Draw a net within a row: up to the symbols, or past them. */
function drawInRow(
  row: Row,
  index: number,
  net: number,
  levels: Levels,
  places: Places,
): Segment[] {
  const [middle, half] = [levels.middle[index] ?? 0, levels.half[index] ?? 0];
  return row.flatMap((cell) =>
    cell.pins
      .filter((pin) => pin.net === net)
      .map((pin) => {
        const x = MARGIN + (places.get(cell) ?? 0) + pin.offset;
        const symbol =
          cell.members.find((each) => each.component.id === pin.port?.component)?.symbol.height ??
          0;
        const from = pin.sides.includes("top") ? middle - half : middle + symbol / 2;
        const to = pin.sides.includes("bottom") ? middle + half : middle - symbol / 2;
        return { from: { x, y: from }, to: { x, y: to } };
      }),
  );
}

function drawShaft(
  left: DrawnComponent | undefined,
  right: DrawnComponent | undefined,
): DrawnNet[] {
  if (!left || !right) return [];
  const y = left.symbol.y + left.symbol.height / 2;
  const segment = {
    from: { x: left.symbol.x + left.symbol.width, y },
    to: { x: right.symbol.x, y },
  };
  const lines = [{ source: left.component.id, target: right.component.id }];
  return [{ kind: "mechanical", lines, segments: [segment], junctions: [] }];
}

/** Return the points where three or more pieces of one net meet. */
function junctionsOf(segments: readonly Segment[]): Point[] {
  const ends = segments.flatMap((each) => [each.from, each.to]);
  const unique = new Map(ends.map((point) => [`${point.x} ${point.y}`, point]));
  return [...unique.values()].filter((point) => {
    const meeting = segments.reduce((sum, each) => sum + meets(each, point), 0);
    return meeting >= 3;
  });
}

/** Return 1 for a segment that ends at a point, 2 for one that passes through it, else 0. */
function meets({ from, to }: Segment, point: Point): number {
  const isEnd = (end: Point) => end.x === point.x && end.y === point.y;
  if (isEnd(from) && isEnd(to)) return 0;
  if (isEnd(from) || isEnd(to)) return 1;
  const between = (low: number, value: number, high: number) =>
    Math.min(low, high) < value && value < Math.max(low, high);
  const onIt =
    (from.x === to.x && point.x === from.x && between(from.y, point.y, to.y)) ||
    (from.y === to.y && point.y === from.y && between(from.x, point.x, to.x));
  return onIt ? 2 : 0;
}
