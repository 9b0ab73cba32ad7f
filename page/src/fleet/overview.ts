/** What the fleet view shows, also of a service without the overview of a watch. */

import { withQuery } from "../api/client";
import { useLoaded, type Loaded } from "../api/hooks";
import type { EquipmentSummary, FleetMachine, Overview } from "../api/types";

/** Machines on one page of the fleet. */
export const PAGE = 50;

/** Load a page of the overview; without one, the service's memory of its last windows. */
export function useOverview(search: string, offset: number): Loaded<Overview> {
  const overview = useLoaded<Overview>(withQuery("v1/overview", { search, limit: PAGE, offset }));
  const memory = useLoaded<EquipmentSummary[]>(overview.absent ? "v1/equipment" : null);
  if (!overview.absent) return overview;
  const value = memory.value && overviewOf(memory.value, search, offset);
  return { ...memory, value };
}

/** Return the overview of machines in memory, worst first. */
export function overviewOf(
  machines: readonly EquipmentSummary[],
  search: string,
  offset: number,
): Overview {
  const wanted = search.toLowerCase();
  const found = machines
    .filter((each) => `${each.equipment_id} ${each.name}`.toLowerCase().includes(wanted))
    .toSorted((one, other) => (one.health ?? 2) - (other.health ?? 2));
  return { total: found.length, machines: found.slice(offset, offset + PAGE).map(fleetMachine) };
}

function fleetMachine(each: EquipmentSummary): FleetMachine {
  return {
    equipment_id: each.equipment_id,
    name: each.name,
    topology: each.topology,
    health: each.health,
    cannot_tell: each.health === null && (each.cannot_tell ?? 0) > 0,
    last_seen: null,
    trend: [],
    open_alarms: 0,
    worst: null,
    finding: each.findings ? `${each.findings} found` : null,
  };
}
