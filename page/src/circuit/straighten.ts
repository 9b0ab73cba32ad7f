/** Last small shifts of cells, which make nearly straight lines straight. */

import type { Cell, Row } from "./cells";
import { GAP, type Places } from "./columns";

const ROUNDS = 4;
/** Up to here others are pushed aside, too, for the sake of a straight line. */
const FARTHEST_PUSH = 40;

interface Spot {
  readonly cell: Cell;
  readonly offset: number;
}

/** The ends of a line's piece between two rows. */
type Link = readonly [upper: Spot, lower: Spot];

/**
 * Shift cells together with all that are in line with them.
 *
 * What is straight stays so: a shift takes everything along that it would bend.
 */
export function straighten(rows: readonly Row[], places: Places): void {
  const links = rows.flatMap((row, index) => linksBetween(row, rows[index - 1] ?? []));
  const bend = ([upper, lower]: Link) => placeOf(lower, places) - placeOf(upper, places);
  for (let round = 0; round < ROUNDS; round++) {
    const nearlyStraightFirst = links.toSorted(
      (one, other) => Math.abs(bend(one)) - Math.abs(bend(other)),
    );
    for (const link of nearlyStraightFirst) {
      const [upper, lower] = link;
      const by = bend(link);
      if (by === 0) continue;
      const done = shift(upper.cell, by, lower.cell, rows, links, places);
      if (!done) shift(lower.cell, -by, upper.cell, rows, links, places);
    }
  }
}

/** Shift a cell and all in line with it; say whether it could be done without `fixed`. */
function shift(
  start: Cell,
  by: number,
  fixed: Cell,
  rows: readonly Row[],
  links: readonly Link[],
  places: Places,
): boolean {
  const moved = new Set([start]);
  addInLine(moved, links, places);
  const left = (cell: Cell) => (places.get(cell) ?? 0) + (moved.has(cell) ? by : 0);
  for (let pushed: Cell[] = [start]; pushed.length && !moved.has(fixed);) {
    pushed = rows.flatMap((row) =>
      row.flatMap((cell, index) => {
        const next = row[index + 1];
        if (!next || left(cell) + cell.width + GAP <= left(next)) return [];
        return moved.has(cell) ? [next] : [cell];
      }),
    );
    if (pushed.length && Math.abs(by) > FARTHEST_PUSH) return false;
    pushed.forEach((cell) => moved.add(cell));
    addInLine(moved, links, places);
  }
  if (moved.has(fixed)) return false;
  for (const cell of moved) places.set(cell, (places.get(cell) ?? 0) + by);
  return true;
}

/** Add all cells that a straight line joins with one of the given. */
function addInLine(cells: Set<Cell>, links: readonly Link[], places: Places): void {
  for (const cell of cells)
    for (const [upper, lower] of links) {
      if (placeOf(upper, places) !== placeOf(lower, places)) continue;
      if (upper.cell === cell) cells.add(lower.cell);
      if (lower.cell === cell) cells.add(upper.cell);
    }
}

function placeOf({ cell, offset }: Spot, places: Places): number {
  return (places.get(cell) ?? 0) + offset;
}

function linksBetween(upper: Row, lower: Row): Link[] {
  return upper.flatMap((cell) =>
    cell.pins
      .filter((pin) => pin.sides.includes("bottom") && !pin.hangs)
      .flatMap((pin) =>
        lower.flatMap((below) =>
          below.pins
            .filter((other) => other.net === pin.net && other.sides.includes("top"))
            .map((other): Link => [
              { cell, offset: pin.offset },
              { cell: below, offset: other.offset },
            ]),
        ),
      ),
  );
}
