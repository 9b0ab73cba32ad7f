/** Lines between two rows: each net has a horizontal track of its own where others are near. */

import type { Row } from "./cells";
import type { Places } from "./columns";
import { PITCH } from "./sizes";

/** Vertical lines that are closer than this look like one. */
const CLEARANCE = 9;
/** Passes over the order of tracks. */
const PASSES = 8;

/** A net in one channel: where it comes from above and from below, and its track from the top. */
export interface Wire {
  readonly net: number;
  readonly above: readonly number[];
  readonly below: readonly number[];
  /** Null for a straight line, which needs none. */
  track: number | null;
}

export interface Channel {
  readonly wires: readonly Wire[];
  readonly tracks: number;
}

/** Assign tracks to the nets between a row and the one below it. */
export function routeChannel(upper: Row, lower: Row, places: Places): Channel {
  const wires = wiresBetween(upper, lower, places);
  const bent = wires.filter((wire) => !isStraight(wire));
  const sorted = improve(topDown(bent));
  sorted.forEach((wire, index) => {
    const higher = sorted.slice(0, index).filter((each) => near(each, wire));
    wire.track = Math.max(-1, ...higher.map((each) => each.track ?? -1)) + 1;
  });
  return { wires, tracks: Math.max(-1, ...bent.map((wire) => wire.track ?? -1)) + 1 };
}

function wiresBetween(upper: Row, lower: Row, places: Places): Wire[] {
  const found = new Map<number, { above: number[]; below: number[] }>();
  const at = (net: number) => {
    const wire = found.get(net) ?? { above: [], below: [] };
    found.set(net, wire);
    return wire;
  };
  for (const cell of upper)
    for (const pin of cell.pins)
      if (pin.sides.includes("bottom"))
        at(pin.net).above.push((places.get(cell) ?? 0) + pin.offset);
  for (const cell of lower)
    for (const pin of cell.pins)
      if (pin.sides.includes("top")) at(pin.net).below.push((places.get(cell) ?? 0) + pin.offset);
  return [...found].map(([net, wire]) => ({ net, ...wire, track: null }));
}

function isStraight(wire: Wire): boolean {
  return new Set([...wire.above, ...wire.below]).size === 1;
}

function span(wire: Wire): [number, number] {
  const all = [...wire.above, ...wire.below];
  return [Math.min(...all), Math.max(...all)];
}

function near(one: Wire, other: Wire): boolean {
  const [[left, right], [otherLeft, otherRight]] = [span(one), span(other)];
  return left < otherRight + PITCH && otherLeft < right + PITCH;
}

/** A wire from above is higher than one from below at the same place, or they would overlap. */
function mustBeAbove(one: Wire, other: Wire): boolean {
  return one.above.some((x) => other.below.some((y) => Math.abs(x - y) < CLEARANCE));
}

/** Count where `upper`, on a track above that of `lower`, crosses it. */
function crossings(upper: Wire, lower: Wire): number {
  const [[left, right], [lowerLeft, lowerRight]] = [span(upper), span(lower)];
  const inside = (from: number, to: number) => (x: number) => x > from && x < to;
  return (
    upper.below.filter(inside(lowerLeft, lowerRight)).length +
    lower.above.filter(inside(left, right)).length
  );
}

/** Order wires from the highest track so that those that must be above others are. */
function topDown(wires: readonly Wire[]): Wire[] {
  const left = [...wires];
  const sorted: Wire[] = [];
  while (left.length) {
    const blockers = left.map(
      (wire) => left.filter((each) => each !== wire && mustBeAbove(each, wire)).length,
    );
    const [next] = left.splice(blockers.indexOf(Math.min(...blockers)), 1);
    if (next) sorted.push(next);
  }
  return sorted;
}

/** Swap neighbouring tracks while that removes crossings. */
function improve(wires: Wire[]): Wire[] {
  const sorted = [...wires];
  for (let pass = 0; pass < PASSES; pass++)
    for (let index = 0; index + 1 < sorted.length; index++) {
      const [one, other] = [sorted[index], sorted[index + 1]];
      if (!one || !other || mustBeAbove(one, other)) continue;
      if (mustBeAbove(other, one) || crossings(other, one) < crossings(one, other))
        [sorted[index], sorted[index + 1]] = [other, one];
    }
  return sorted;
}
