/** What all charts have in common. */

import type uPlot from "uplot";
import type { ChartSeries } from "./Chart";

const [MINUTE, HOUR, DAY] = [60, 3600, 86_400];

/** Times on 24 hours, with the day below where it changes. */
export const timeAxis: uPlot.Axis = {
  space: 70,
  values: [
    [365 * DAY, "{YYYY}", null, null, null, null, null, null, 1],
    [28 * DAY, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [DAY, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
    [HOUR, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [MINUTE, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
    [
      1,
      ":{ss}",
      "\n{D} {MMM} {HH}:{mm}",
      null,
      "\n{D} {MMM} {HH}:{mm}",
      null,
      "\n{HH}:{mm}",
      null,
      1,
    ],
  ],
};

/** Shade from the lowest to the highest values, and mark a moment, below the lines. */
export function bandPlugin(
  series: readonly ChartSeries[],
  colour: (name: string) => string,
  marked: () => number | null,
): uPlot.Plugin {
  return {
    hooks: {
      drawClear: (plot) => {
        const { ctx } = plot;
        ctx.save();
        ctx.beginPath();
        ctx.rect(plot.bbox.left, plot.bbox.top, plot.bbox.width, plot.bbox.height);
        ctx.clip();
        ctx.globalAlpha = 0.16;
        series.forEach((each, index) => {
          ctx.fillStyle = colour(`series-${index % 6}`);
          fillBand(plot, each);
        });
        ctx.globalAlpha = 1;
        const time = marked();
        if (time !== null) {
          ctx.fillStyle = colour("accent");
          ctx.fillRect(plot.valToPos(time, "x", true) - 1, plot.bbox.top, 2, plot.bbox.height);
        }
        ctx.restore();
      },
    },
  };
}

function fillBand(plot: uPlot, { times, low, high }: ChartSeries): void {
  const { ctx } = plot;
  const at = (values: readonly number[], index: number): [number, number] => [
    plot.valToPos(times[index] ?? 0, "x", true),
    plot.valToPos(values[index] ?? 0, "y", true),
  ];
  ctx.beginPath();
  times.forEach((_, index) => ctx.lineTo(...at(high, index)));
  for (let index = times.length - 1; index >= 0; index--) ctx.lineTo(...at(low, index));
  ctx.closePath();
  ctx.fill();
}
