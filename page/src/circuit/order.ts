/** The order of cells within rows: few crossings, short lines, the same for the same machine. */

import type { Cell, Row } from "./cells";
import { mean } from "./geometry";
import type { Side } from "./nets";

const SWEEPS = 12;
/** What a crossing costs, in units of length. */
const CROSSING = 400;
const FARTHEST_MOVE = 6;
/** Moves that are tried at most, so that a huge circuit does not take long. */
const MOST_TRIALS = 2000;
const NOMINAL_GAP = 20;

/** Put the cells of each row into an order with few crossings. */
export function orderRows(rows: Row[]): void {
  const costs = new Costs(rows);
  let best = rows.map((row) => [...row]);
  let least = costs.ofAll();
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const upwards = sweep % 2 === 0;
    const indices = upwards ? [...rows.keys()] : [...rows.keys()].reverse();
    for (const index of indices) {
      sortByNeighbours(rows, index, upwards ? -1 : 1, costs);
      costs.moved(rows[index] ?? []);
    }
    const cost = costs.ofAll();
    if (cost < least) [least, best] = [cost, rows.map((row) => [...row])];
  }
  best.forEach((row, index) => {
    rows[index] = row;
    costs.moved(row);
  });
  moveWhileItHelps(rows, costs);
}

/** Sort a row by the mean places of its neighbours in the row below or above. */
function sortByNeighbours(rows: readonly Row[], index: number, step: -1 | 1, costs: Costs): void {
  const [row, other] = [rows[index], rows[index + step]];
  if (!row || !other) return;
  const [near, far]: [Side, Side] = step < 0 ? ["bottom", "top"] : ["top", "bottom"];
  const wanted = new Map(
    row.map((cell) => {
      const nets = netsAt(cell, near);
      const places = other
        .filter((each) => netsAt(each, far).some((net) => nets.includes(net)))
        .map((each) => costs.middleOf(each));
      return [cell, places.length ? mean(places) : costs.middleOf(cell)] as const;
    }),
  );
  row.sort((one, another) => (wanted.get(one) ?? 0) - (wanted.get(another) ?? 0));
}

/** Move single cells within their rows while a move lowers the cost. */
function moveWhileItHelps(rows: readonly Row[], costs: Costs): void {
  let trials = 0;
  for (let improved = true; improved && trials < MOST_TRIALS;) {
    improved = false;
    rows.forEach((row, index) => {
      for (const cell of [...row]) {
        const from = row.indexOf(cell);
        const before = costs.around(index);
        let [to, least] = [from, before];
        const last = Math.min(row.length - 1, from + FARTHEST_MOVE);
        for (
          let place = Math.max(0, from - FARTHEST_MOVE);
          place <= last && trials < MOST_TRIALS;
          place++
        ) {
          trials++;
          move(row, cell, place);
          costs.moved(row);
          const after = costs.around(index);
          if (after < least) [to, least] = [place, after];
        }
        move(row, cell, to);
        costs.moved(row);
        improved ||= least < before;
      }
    });
  }
}

function move(row: Row, cell: Cell, to: number): void {
  row.splice(row.indexOf(cell), 1);
  row.splice(to, 0, cell);
}

function netsAt(cell: Cell, side: Side): number[] {
  return cell.pins.filter((pin) => pin.sides.includes(side)).map((pin) => pin.net);
}

/** A place in a cell. */
interface Spot {
  readonly cell: Cell;
  readonly offset: number;
}

/** A piece of a net in one channel, from the upper to the lower row. */
interface Link {
  readonly net: number;
  readonly upper: Spot;
  readonly lower: Spot;
}

/** Crossings and lengths of all lines, as if rows were packed and centred on one another. */
class Costs {
  private readonly left = new Map<Cell, number>();
  /** By channel; channel k is below row k. */
  private readonly links: readonly (readonly Link[])[];

  constructor(rows: readonly Row[]) {
    this.links = [...rows, []].map((row, index) => linksBetween(row, rows[index - 1] ?? []));
    rows.forEach((row) => this.moved(row));
  }

  /** Take note of a row's new order. */
  moved(row: Row): void {
    let x = -row.reduce((sum, cell) => sum + cell.width + NOMINAL_GAP, 0) / 2;
    for (const cell of row) {
      this.left.set(cell, x);
      x += cell.width + NOMINAL_GAP;
    }
  }

  middleOf(cell: Cell): number {
    return (this.left.get(cell) ?? 0) + cell.width / 2;
  }

  ofAll(): number {
    return this.links.reduce((sum, _, channel) => sum + this.ofChannel(channel), 0);
  }

  /** Return the cost of the channels below and above a row. */
  around(row: number): number {
    return this.ofChannel(row) + this.ofChannel(row + 1);
  }

  private ofChannel(channel: number): number {
    const links = (this.links[channel] ?? []).map(({ net, upper, lower }) => ({
      net,
      upper: (this.left.get(upper.cell) ?? 0) + upper.offset,
      lower: (this.left.get(lower.cell) ?? 0) + lower.offset,
    }));
    let cost = 0;
    links.forEach((one, index) => {
      cost += Math.abs(one.upper - one.lower);
      for (let at = index + 1; at < links.length; at++) {
        const other = links[at];
        if (!other || other.net === one.net) continue;
        if ((one.upper - other.upper) * (one.lower - other.lower) < 0) cost += CROSSING;
      }
    });
    return cost;
  }
}

/** Link the pins of each net; those of one side only with each other, as if they were on both. */
function linksBetween(upper: Row, lower: Row): Link[] {
  const above = spotsAt(upper, "bottom");
  const below = spotsAt(lower, "top");
  return [...new Set([...above.keys(), ...below.keys()])].flatMap((net) => {
    const ups = above.get(net) ?? below.get(net) ?? [];
    const downs = below.get(net) ?? above.get(net) ?? [];
    return ups.flatMap((up) => downs.map((down) => ({ net, upper: up, lower: down })));
  });
}

function spotsAt(row: Row, side: Side): Map<number, Spot[]> {
  const found = new Map<number, Spot[]>();
  for (const cell of row)
    for (const { net, sides, offset } of cell.pins)
      if (sides.includes(side)) found.set(net, [...(found.get(net) ?? []), { cell, offset }]);
  return found;
}
