/** Components that stand side by side: a drive with its pumps, a valve with its accumulators. */

import type { Component, Topology } from "../api/types";
import { isDrive, portsOf } from "./kinds";

/** Components of one row, from left to right. */
export type Group = readonly Component[];

export interface Groups {
  readonly all: readonly Group[];
  readonly of: ReadonlyMap<string, Group>;
  /** Ids of the neighbours on one shaft, left and right. */
  readonly shafts: readonly (readonly [string, string])[];
}

/** Put each component into exactly one group. */
export function groupComponents(topology: Topology): Groups {
  const byId = new Map(topology.components.map((each) => [each.id, each]));
  const next = shaftNeighbours(topology, byId);
  const accumulators = accumulatorsOfValves(topology, byId);
  const grouped = new Set<string>([...accumulators.values()].flat());
  const shafts: [string, string][] = [];
  const all: Group[] = [];
  for (const start of shaftEndsFirst(topology.components, next)) {
    if (grouped.has(start.id)) continue;
    const chain = chainFrom(start.id, next);
    chain.forEach((id, index) => {
      const right = chain[index + 1];
      if (right !== undefined) shafts.push([id, right]);
    });
    const ids = chain.flatMap((id) => [id, ...(accumulators.get(id) ?? [])]);
    ids.forEach((id) => grouped.add(id));
    all.push(ids.flatMap((id) => byId.get(id) ?? []));
  }
  const of = new Map(all.flatMap((group) => group.map((each) => [each.id, group] as const)));
  return { all, of, shafts };
}

/** Return who is on a shaft with whom, as chains without branches. */
function shaftNeighbours(
  topology: Topology,
  byId: ReadonlyMap<string, Component>,
): Map<string, string[]> {
  const next = new Map<string, string[]>();
  for (const line of topology.edges) {
    const ends = [line.source, line.target].flatMap((id) => byId.get(id) ?? []);
    const onShaft = ends.every((each) => isDrive(each) || portsOf(each) === "pump");
    if (line.kind !== "mechanical" || !onShaft) continue;
    const [one, other] = [line.source, line.target];
    const [ofOne, ofOther] = [next.get(one) ?? [], next.get(other) ?? []];
    const free = ofOne.length < 2 && ofOther.length < 2;
    if (!free || chainFrom(one, next).includes(other)) continue;
    next.set(one, [...ofOne, other]);
    next.set(other, [...ofOther, one]);
  }
  return next;
}

/** Order components so that a chain is met at one of its ends, at its drive if that is an end. */
function shaftEndsFirst(
  components: readonly Component[],
  next: ReadonlyMap<string, string[]>,
): Component[] {
  const place = (each: Component) =>
    (next.get(each.id)?.length ?? 0) > 1 ? 2 : isDrive(each) ? 0 : 1;
  return [...components].sort((one, other) => place(one) - place(other));
}

function chainFrom(start: string, next: ReadonlyMap<string, string[]>): string[] {
  const chain = [start];
  for (const id of chain)
    chain.push(...(next.get(id) ?? []).filter((each) => !chain.includes(each)));
  return chain;
}

/** Return the accumulators of each valve; the others stand alone. */
function accumulatorsOfValves(
  topology: Topology,
  byId: ReadonlyMap<string, Component>,
): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const each of topology.components) {
    if (portsOf(each) !== "accumulator") continue;
    const valve = topology.edges
      .filter((line) => line.source === each.id || line.target === each.id)
      .map((line) => byId.get(line.source === each.id ? line.target : line.source))
      .find((other) => other !== undefined && portsOf(other) === "valve");
    if (valve) found.set(valve.id, [...(found.get(valve.id) ?? []), each.id]);
  }
  return found;
}
