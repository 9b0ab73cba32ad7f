/** What is said while something loads, or cannot be loaded. */

import type { Loaded } from "../api/hooks";

export function Notice({ loaded, what }: { loaded: Loaded<unknown>; what: string }) {
  if (loaded.error) {
    return (
      <p class="notice" role="alert">
        {loaded.error instanceof TypeError
          ? "The service cannot be reached."
          : loaded.error.message}
      </p>
    );
  }
  return loaded.value === null ? (
    <p class="quiet" role="status">
      Loading {what} …
    </p>
  ) : null;
}

/** Say that a part of the page needs a database. */
export function NeedsDatabase({ what }: { what: string }) {
  return <p class="quiet">{what} need a service with a database (database=…) and a watch.</p>;
}
