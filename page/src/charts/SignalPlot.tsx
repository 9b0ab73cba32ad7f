/** The signal of one sensor over one window, from the lowest to the highest value of each piece. */

import type { WindowSignal } from "../api/types";
import { quantity, SENSOR_WORDS } from "../text/words";

const [WIDTH, HEIGHT] = [300, 60];

interface Props {
  readonly name: string;
  readonly signal: WindowSignal;
  readonly start: number;
  readonly end: number;
}

export function SignalPlot({ name, signal, start, end }: Props) {
  const lows = signal.values.flatMap(([, low]) => (low === null ? [] : [low]));
  const highs = signal.values.flatMap(([, , high]) => (high === null ? [] : [high]));
  const [lowest, highest] = [Math.min(...lows), Math.max(...highs)];
  const x = (time: string) => (WIDTH * (Date.parse(time) - start)) / Math.max(1, end - start);
  const y = (value: number) =>
    HEIGHT - 4 - ((HEIGHT - 8) * (value - lowest)) / (highest - lowest || 1);
  return (
    <figure class={`signal is-${signal.state}`} data-sensor={name}>
      <figcaption>
        <strong>{name}</strong>
        {signal.state !== "ok" && <span class="tag">{SENSOR_WORDS[signal.state]}</span>}
        {lows.length > 0 && (
          <span class="quiet">
            {quantity(lowest, "")} to {quantity(highest, signal.unit)}
          </span>
        )}
      </figcaption>
      {lows.length > 0 && (
        <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
          {signal.moments?.map(([from, to]) => (
            <rect
              key={from}
              class="moment"
              x={x(from)}
              width={Math.max(2, x(to) - x(from))}
              height={HEIGHT}
            />
          ))}
          <path d={pathOf(signal, x, y)} />
        </svg>
      )}
    </figure>
  );
}

/** Go from low to high within each piece; a missing piece breaks the line. */
function pathOf(
  signal: WindowSignal,
  x: (time: string) => number,
  y: (value: number) => number,
): string {
  let path = "";
  let pen = "M";
  for (const [time, low, high] of signal.values) {
    if (low === null || high === null) {
      pen = "M";
      continue;
    }
    const at = x(time).toFixed(1);
    path += `${pen}${at} ${y(low).toFixed(1)}${high > low ? `V${y(high).toFixed(1)}` : ""}`;
    pen = "L";
  }
  return path;
}
