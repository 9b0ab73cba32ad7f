/** A small picture of a health over time, from 0 to 1. */

import { dateTime } from "../text/time";
import { percent } from "../text/words";

const [WIDTH, HEIGHT] = [120, 28];

export function Sparkline({ points }: { points: readonly (readonly [string, number])[] }) {
  const [first, last] = [points[0], points.at(-1)];
  if (!first || !last) return <span class="quiet">No trend yet</span>;
  const times = points.map(([time]) => Date.parse(time));
  const start = times[0] ?? 0;
  const length = Math.max(1, (times.at(-1) ?? 0) - start);
  const place = ([, value]: readonly [string, number], index: number) => ({
    x: 3 + ((WIDTH - 6) * ((times[index] ?? 0) - start)) / length,
    y: 3 + (HEIGHT - 6) * (1 - value),
  });
  const path = points
    .map((point, index) => {
      const { x, y } = place(point, index);
      return `${index ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
  const end = place(last, points.length - 1);
  const words = `Lowest health: ${percent(first[1])} on ${dateTime(first[0])}, ${percent(last[1])} now`;
  return (
    <svg class="sparkline" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={words}>
      <path class="limit" d={`M0 ${HEIGHT / 2}H${WIDTH}`} />
      <path d={path} />
      <circle cx={end.x} cy={end.y} r={2.5} />
    </svg>
  );
}
