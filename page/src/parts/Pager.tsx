/** Steps through a long list. */

import { routeTo, type Route } from "../route";

interface Props {
  readonly offset: number;
  readonly size: number;
  readonly total: number;
  readonly route: Route;
}

export function Pager({ offset, size, total, route }: Props) {
  if (total <= size) return null;
  const to = (start: number) => routeTo(route.parts, { ...route.query, offset: start || null });
  const last = Math.min(total, offset + size);
  return (
    <nav class="pager" aria-label="Pages">
      {offset > 0 && <a href={to(Math.max(0, offset - size))}>Previous</a>}
      <span>
        {offset + 1} to {last} of {total.toLocaleString("en")}
      </span>
      {last < total && <a href={to(last)}>Next</a>}
    </nav>
  );
}
