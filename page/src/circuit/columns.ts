/** Places of cells along their rows: lines as straight as the cells' widths allow. */

import type { Cell, Pin, Row } from "./cells";
import { mean } from "./geometry";
import type { Side } from "./nets";
import { portOffsets, SIDES } from "./sizes";
import { straighten } from "./straighten";

/** Least space between cells. */
export const GAP = 22;
const SWEEPS = 24;
/** Passing lines are straight before symbols are above one another. */
const PASSING_WEIGHT = 6;

/** Left edges of cells. */
export type Places = Map<Cell, number>;

interface PlacedPin {
  readonly cell: Cell;
  readonly pin: Pin;
}

/** Place all cells, and put the ports of each side into the order of what they lead to. */
export function placeCells(rows: readonly Row[]): Places {
  const places: Places = new Map();
  for (const row of rows) packed(row, () => 0).forEach((x, cell) => places.set(cell, x));
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const upwards = sweep % 2 === 0;
    const order = upwards ? [...rows.keys()] : [...rows.keys()].reverse();
    // The first sweeps look one way, so that the rows find each other; the last ones both ways.
    const sides: readonly Side[] = sweep < SWEEPS / 2 ? [upwards ? "bottom" : "top"] : SIDES;
    for (const index of order) {
      const row = rows[index] ?? [];
      const wanted = (cell: Cell) => wantedPlace(cell, rows, index, sides, places);
      packed(row, wanted).forEach((x, cell) => places.set(cell, x));
    }
    if (sweep % 4 === 3) rows.forEach((_, index) => orderPorts(rows, index, places));
  }
  straighten(rows, places);
  const left = Math.min(...places.values());
  for (const [cell, x] of places) places.set(cell, x - left);
  return places;
}

/** Return the pins of a net in a channel, as seen from row `index` through one of its sides. */
function pinsAcross(rows: readonly Row[], index: number, side: Side, net: number): PlacedPin[] {
  const [upper, lower] = side === "bottom" ? [index, index - 1] : [index + 1, index];
  const found: PlacedPin[] = [];
  for (const [row, at] of [
    [rows[upper], "bottom"],
    [rows[lower], "top"],
  ] as const)
    for (const cell of row ?? [])
      for (const pin of cell.pins)
        if (pin.net === net && pin.sides.includes(at)) found.push({ cell, pin });
  return found;
}

/** Return the mean place of the other pins of a pin's net on one side; null without any. */
function counterpart(
  cell: Cell,
  pin: Pin,
  rows: readonly Row[],
  index: number,
  side: Side,
  places: Places,
): number | null {
  const others = pinsAcross(rows, index, side, pin.net).filter((each) => each.pin !== pin);
  if (!others.length) return null;
  const passing = others.filter((each) => !each.cell.members.length && each.cell !== cell);
  const standing = others.filter((each) => !each.pin.hangs);
  const counted = [passing, standing, others].find((each) => each.length) ?? [];
  return mean(counted.map((each) => (places.get(each.cell) ?? 0) + each.pin.offset));
}

function wantedPlace(
  cell: Cell,
  rows: readonly Row[],
  index: number,
  sides: readonly Side[],
  places: Places,
): number {
  const standing = cell.pins.filter((pin) => !pin.hangs);
  const wanted = (standing.length ? standing : cell.pins).flatMap((pin) =>
    sides
      .filter((side) => pin.sides.includes(side))
      .flatMap((side) => {
        const x = counterpart(cell, pin, rows, index, side, places);
        return x === null ? [] : [x - pin.offset];
      }),
  );
  return wanted.length ? mean(wanted) : (places.get(cell) ?? 0);
}

/** Return the places closest to the wanted ones without overlaps (isotonic least squares). */
function packed(row: Row, wanted: (cell: Cell) => number): Places {
  interface Pool {
    cells: Cell[];
    total: number;
    weight: number;
  }
  const shift = new Map<Cell, number>();
  let x = 0;
  for (const cell of row) {
    shift.set(cell, x);
    x += cell.width + GAP;
  }
  const pools: Pool[] = [];
  for (const cell of row) {
    const weight = cell.members.length ? 1 : PASSING_WEIGHT;
    let pool: Pool = {
      cells: [cell],
      weight,
      total: weight * (wanted(cell) - (shift.get(cell) ?? 0)),
    };
    for (
      let last = pools.at(-1);
      last && last.total / last.weight > pool.total / pool.weight;
      last = pools.at(-1)
    ) {
      pools.pop();
      pool = {
        cells: [...last.cells, ...pool.cells],
        total: last.total + pool.total,
        weight: last.weight + pool.weight,
      };
    }
    pools.push(pool);
  }
  return new Map(
    pools.flatMap((pool) =>
      pool.cells.map(
        (cell) => [cell, Math.round(pool.total / pool.weight) + (shift.get(cell) ?? 0)] as const,
      ),
    ),
  );
}

/** Order the ports on each side of each component by the places that they lead to. */
function orderPorts(rows: readonly Row[], index: number, places: Places): void {
  for (const cell of rows[index] ?? []) {
    const offsets = new Map<Pin, number>();
    for (const member of cell.members)
      for (const side of SIDES) {
        const pins = cell.pins.filter(
          (pin) => pin.port !== null && member.ports[side].includes(pin.port),
        );
        const target = new Map(
          pins.map((pin) => [pin, counterpart(cell, pin, rows, index, side, places) ?? 0] as const),
        );
        const sorted = pins.toSorted(
          (one, other) => (target.get(one) ?? 0) - (target.get(other) ?? 0),
        );
        const middle = member.symbolX + member.symbol.width / 2;
        portOffsets(sorted.length).forEach((offset, place) => {
          const pin = sorted[place];
          if (pin) offsets.set(pin, middle + offset);
        });
      }
    cell.pins = cell.pins.map((pin) => ({ ...pin, offset: offsets.get(pin) ?? pin.offset }));
  }
}
