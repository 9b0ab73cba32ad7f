/** Rows of components, counted from the bottom: oil rises from the tank and returns to it. */

import type { Topology } from "../api/types";
import type { Group, Groups } from "./groups";
import { portsOf, returns } from "./kinds";

/** Return the row of each component by its id; the lowest is 0. */
export function rankComponents(topology: Topology, groups: Groups): ReadonlyMap<string, number> {
  const above = withoutCycles(groups, neighboursAbove(topology, groups));
  const rank = longestPaths(groups, above);
  for (const group of groups.all) {
    const upper = [...(above.get(group) ?? [])].map((each) => rank.get(each) ?? 0);
    const isSource = rank.get(group) === 0 && !hasTank(group);
    if (isSource && upper.length) rank.set(group, Math.min(...upper) - 1);
  }
  return new Map(
    groups.all.flatMap((group) => group.map((each) => [each.id, rank.get(group) ?? 0] as const)),
  );
}

function neighboursAbove(topology: Topology, groups: Groups): Map<Group, Set<Group>> {
  const above = new Map<Group, Set<Group>>(groups.all.map((group) => [group, new Set()]));
  for (const line of topology.edges) {
    const [from, to] = [groups.of.get(line.source), groups.of.get(line.target)];
    if (!from || !to || from === to) continue;
    const [lower, upper] = returns(line) ? [to, from] : [from, to];
    above.get(lower)?.add(upper);
  }
  return above;
}

/** Drop the relations that close a cycle, met in depth-first order from the tanks. */
function withoutCycles(
  groups: Groups,
  above: ReadonlyMap<Group, ReadonlySet<Group>>,
): Map<Group, Set<Group>> {
  const kept = new Map<Group, Set<Group>>(groups.all.map((group) => [group, new Set()]));
  const state = new Map<Group, "open" | "done">();
  const visit = (group: Group): void => {
    state.set(group, "open");
    for (const upper of above.get(group) ?? []) {
      if (state.get(upper) === "open") continue;
      kept.get(group)?.add(upper);
      if (!state.has(upper)) visit(upper);
    }
    state.set(group, "done");
  };
  const tanksFirst = [...groups.all].sort((one, other) => +hasTank(other) - +hasTank(one));
  for (const group of tanksFirst) if (!state.has(group)) visit(group);
  return kept;
}

function longestPaths(groups: Groups, above: ReadonlyMap<Group, ReadonlySet<Group>>) {
  const below = new Map<Group, Group[]>(groups.all.map((group) => [group, []]));
  for (const [lower, uppers] of above) for (const upper of uppers) below.get(upper)?.push(lower);
  const rank = new Map<Group, number>();
  const rankOf = (group: Group): number => {
    const known = rank.get(group);
    if (known !== undefined) return known;
    const found = Math.max(0, ...(below.get(group) ?? []).map((each) => rankOf(each) + 1));
    rank.set(group, found);
    return found;
  };
  groups.all.forEach(rankOf);
  return rank;
}

function hasTank(group: Group): boolean {
  return group.some((each) => portsOf(each) === "tank");
}
