/** Addresses of views: `#/machines/zema?component=cooler`. */

import { useEffect, useState } from "preact/hooks";
import { withQuery, type Query } from "./api/client";

export interface Route {
  readonly parts: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export function parseRoute(hash: string): Route {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  return {
    parts: path.split("/").filter(Boolean).map(decodeURIComponent),
    query: Object.fromEntries(new URLSearchParams(query)),
  };
}

export function routeTo(parts: readonly (string | number)[], query: Query = {}): string {
  return withQuery(`#/${parts.map(encodeURIComponent).join("/")}`, query);
}

/** Return the route that is shown. */
export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const follow = () => setHash(location.hash);
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);
  return parseRoute(hash);
}

/** Change single values of the query; null removes one. `replace` leaves no step to go back to. */
export function changeQuery(route: Route, changes: Query, replace = false): void {
  const address = routeTo(route.parts, { ...route.query, ...changes });
  if (!replace) {
    location.hash = address;
    return;
  }
  history.replaceState(null, "", address);
  dispatchEvent(new HashChangeEvent("hashchange"));
}
