/** The stretch of time that a machine's history shows. */

import type { Route } from "../route";

const HOUR_MS = 3_600_000;

export const LENGTHS: Readonly<Record<string, { readonly words: string; readonly ms: number }>> = {
  "6h": { words: "6 hours", ms: 6 * HOUR_MS },
  "24h": { words: "24 hours", ms: 24 * HOUR_MS },
  "7d": { words: "7 days", ms: 7 * 24 * HOUR_MS },
  "30d": { words: "30 days", ms: 30 * 24 * HOUR_MS },
  "1y": { words: "1 year", ms: 365 * 24 * HOUR_MS },
};
const USUAL = "24h";

export interface Period {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  /** The name of a usual length; null for a stretch of the viewer's own. */
  readonly length: string | null;
}

/** Return the period of a route; a usual length ends with the machine's last window. */
export function periodOf(route: Route, last: number): Period {
  const [from, to] = [Date.parse(route.query["from"] ?? ""), Date.parse(route.query["to"] ?? "")];
  if (from < to) return { from, to, length: null };
  const asked = route.query["range"] ?? USUAL;
  const length = asked in LENGTHS ? asked : USUAL;
  return { from: last - (LENGTHS[length]?.ms ?? 0), to: last, length };
}
