import { describe, expect, test } from "vitest";
import { FILES, readMachine, type Kind } from "../dev/machines";
import { crosses, overlap, type Box, type Point, type Segment } from "../src/circuit/geometry";
import { layOut, type Drawing, type DrawnComponent, type DrawnNet } from "../src/circuit/layout";
import { randomTopology } from "./randomTopology";

const machines = (Object.keys(FILES) as Kind[]).map(
  (kind) => [kind, readMachine(kind).topology] as const,
);
const invented = Array.from(
  { length: 25 },
  (_, seed) => [`seed ${seed}`, randomTopology(seed)] as const,
);

describe.each([...machines, ...invented])("the drawing of %s", (_, topology) => {
  const drawing = layOut(topology);

  test("has no line through a symbol or a label", () => {
    const boxes = drawing.components.flatMap((each) => [each.symbol, each.labelBox]);
    const segments = drawing.nets.flatMap((net) => net.segments);
    expect(segments.filter((segment) => boxes.some((box) => crosses(segment, box)))).toEqual([]);
  });

  test("has no symbol or label over another", () => {
    const boxes = drawing.components.flatMap((each) => [each.symbol, each.labelBox]);
    expect(
      boxes.filter((one, index) => boxes.slice(index + 1).some((other) => overlap(one, other))),
    ).toEqual([]);
  });

  test("has no lines on one another, but where they cross", () => {
    expect(overlapping(drawing.nets)).toEqual([]);
  });

  test("joins the ends of every line, and nothing else", () => {
    const byId = new Map(drawing.components.map((each) => [each.component.id, each]));
    for (const line of topology.edges.filter((each) => each.source !== each.target)) {
      const net = drawing.nets.find((each) => each.lines.some((one) => sameEnds(one, line)));
      expect(net, `${line.source} to ${line.target}`).toBeDefined();
      for (const id of [line.source, line.target])
        expect(reaches(net, byId.get(id)), id).toBe(true);
    }
    for (const net of drawing.nets) expect(pieces(net.segments)).toBe(1);
  });

  test("shows every component once, within its frame", () => {
    expect(drawing.components.map((each) => each.component.id).sort()).toEqual(
      topology.components.map((each) => each.id).sort(),
    );
    for (const { symbol, labelBox } of drawing.components)
      for (const box of [symbol, labelBox]) expect(isWithin(box, drawing)).toBe(true);
  });

  test("is the same each time", () => {
    expect(layOut(structuredClone(topology))).toEqual(drawing);
  });
});

test.each(machines)(
  "%s has its tanks at the bottom and its actuators above their valves",
  (_, topology) => {
    const drawing = layOut(topology);
    const y = new Map(drawing.components.map((each) => [each.component.id, each.symbol.y]));
    const kind = new Map(topology.components.map((each) => [each.id, each.kind]));
    const lowest = Math.max(...y.values());
    for (const { id } of topology.components.filter((each) => each.kind === "tank"))
      expect(y.get(id)).toBe(lowest);
    for (const line of topology.edges)
      if (["cylinder", "hydraulic_motor"].includes(kind.get(line.target) ?? ""))
        expect(y.get(line.target)).toBeLessThan(y.get(line.source) ?? 0);
  },
);

test("a drive stands beside its pumps, its shaft straight", () => {
  const drawing = layOut(readMachine("machining_centre").topology);
  const shafts = drawing.nets.filter((net) => net.kind === "mechanical");
  expect(shafts.map((net) => net.lines[0])).toEqual([
    { source: "pump", target: "motor" },
    { source: "motor", target: "coolant_pump" },
  ]);
  for (const { segments } of shafts)
    expect(segments.every(({ from, to }) => from.y === to.y)).toBe(true);
});

test("a circuit of 60 components takes at most two seconds of the processor", () => {
  const topology = randomTopology(1, 60);
  const before = process.cpuUsage();
  layOut(topology);
  const { user } = process.cpuUsage(before);
  expect(user / 1e6).toBeLessThan(2);
});

function sameEnds(
  one: { source: string; target: string },
  other: { source: string; target: string },
): boolean {
  const ends = [one.source, one.target];
  return ends.includes(other.source) && ends.includes(other.target);
}

/** Say whether a net ends at a port of a component, or at its side where it is a shaft. */
function reaches(net: DrawnNet | undefined, drawn: DrawnComponent | undefined): boolean {
  if (!net || !drawn) return false;
  const { symbol } = drawn;
  const ends = net.segments.flatMap(({ from, to }) => [from, to]);
  const atSide = (point: Point) => point.x === symbol.x || point.x === symbol.x + symbol.width;
  return ends.some(
    (end) =>
      drawn.ports.some((port) => port.x === end.x && port.y === end.y) ||
      (net.kind === "mechanical" && atSide(end)),
  );
}

function isWithin(box: Box, drawing: Drawing): boolean {
  return (
    box.x >= 0 &&
    box.y >= 0 &&
    box.x + box.width <= drawing.width &&
    box.y + box.height <= drawing.height
  );
}

/** Return the pairs of segments of different nets that share more than a point. */
function overlapping(nets: readonly DrawnNet[]): [Segment, Segment][] {
  const all = nets.flatMap((net) => net.segments.map((segment) => ({ net, segment })));
  return all.flatMap((one, index) =>
    all
      .slice(index + 1)
      .filter((other) => other.net !== one.net && sharesStretch(one.segment, other.segment))
      .map((other): [Segment, Segment] => [one.segment, other.segment]),
  );
}

function sharesStretch(one: Segment, other: Segment): boolean {
  const along = (low: number, high: number, from: number, to: number) =>
    Math.min(high, Math.max(from, to)) - Math.max(low, Math.min(from, to));
  const vertical = [one, other].every(({ from, to }) => from.x === to.x && from.y !== to.y);
  const horizontal = [one, other].every(({ from, to }) => from.y === to.y && from.x !== to.x);
  if (vertical && one.from.x === other.from.x)
    return (
      along(
        Math.min(one.from.y, one.to.y),
        Math.max(one.from.y, one.to.y),
        other.from.y,
        other.to.y,
      ) > 0
    );
  if (horizontal && one.from.y === other.from.y)
    return (
      along(
        Math.min(one.from.x, one.to.x),
        Math.max(one.from.x, one.to.x),
        other.from.x,
        other.to.x,
      ) > 0
    );
  return false;
}

/** Count the connected pieces of a net. */
function pieces(segments: readonly Segment[]): number {
  const left = new Set(segments);
  let count = 0;
  for (const start of segments) {
    if (!left.delete(start)) continue;
    count++;
    const reached = [start];
    for (const each of reached)
      for (const other of left)
        if (touch(each, other)) {
          left.delete(other);
          reached.push(other);
        }
  }
  return count;
}

function touch(one: Segment, other: Segment): boolean {
  const holds = ({ from, to }: Segment, point: Point) =>
    Math.min(from.x, to.x) <= point.x &&
    point.x <= Math.max(from.x, to.x) &&
    Math.min(from.y, to.y) <= point.y &&
    point.y <= Math.max(from.y, to.y);
  return (
    [one.from, one.to].some((end) => holds(other, end)) ||
    [other.from, other.to].some((end) => holds(one, end))
  );
}
