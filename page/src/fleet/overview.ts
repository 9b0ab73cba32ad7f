/** What the fleet view shows. */

import { withQuery } from "../api/client";
import { useLoaded, type Loaded } from "../api/hooks";
import type { Overview } from "../api/types";

/** Machines on one page of the fleet. */
export const PAGE = 50;

/** Load a page of the overview. */
export function useOverview(search: string, offset: number): Loaded<Overview> {
  return useLoaded<Overview>(withQuery("v1/overview", { search, limit: PAGE, offset }));
}
