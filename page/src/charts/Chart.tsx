/** A chart of numbers over time: drag to zoom, click to choose a moment. */

import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { dateTime } from "../text/time";
import { quantity } from "../text/words";
import { useDark } from "./dark";
import { bandPlugin, timeAxis } from "./options";

export interface ChartSeries {
  readonly label: string;
  readonly unit: string;
  /** Seconds since 1970. */
  readonly times: readonly number[];
  readonly values: readonly number[];
  /** Lowest and highest values of the same stretches. */
  readonly low: readonly number[];
  readonly high: readonly number[];
}

interface Props {
  readonly title: string;
  readonly series: readonly ChartSeries[];
  /** Limits of the values; null: those of the data. */
  readonly range: readonly [number, number] | null;
  /** The stretch of time that is shown, in seconds. */
  readonly from: number;
  readonly to: number;
  /** A moment that is marked. */
  readonly marked: number | null;
  readonly onZoom: (from: number, to: number) => void;
  readonly onPick: (time: number) => void;
}

const HEIGHT = 190;
const COLOURS = 6;
/** Lines are told apart by their pattern, too. */
const DASHES: readonly (readonly number[])[] = [[], [8, 3], [2, 3], [10, 3, 2, 3], [4, 4], [1, 4]];

export function Chart(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<number | null>(null);
  const dark = useDark();
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = host.current;
    if (!element) return;
    const chart = makeChart(element, latest, setAt);
    const sized = new ResizeObserver(() =>
      chart.setSize({ width: element.clientWidth, height: HEIGHT }),
    );
    sized.observe(element);
    return () => {
      sized.disconnect();
      chart.destroy();
    };
  }, [props.series, props.from, props.to, props.marked, dark]);
  return (
    <figure class="chart">
      <figcaption>
        <strong>{props.title}</strong>
        {at !== null && <span class="quiet"> {dateTime(new Date(at * 1000).toISOString())}</span>}
      </figcaption>
      <div ref={host} role="img" aria-label={describe(props)} />
      <ChartLegend series={props.series} at={at} />
    </figure>
  );
}

function describe({ title, series }: Props): string {
  const last = series.map((each) => {
    const value = each.values.at(-1);
    return `${each.label} ${value === undefined ? "unknown" : quantity(value, each.unit)}`;
  });
  return `${title} over time, last: ${last.join("; ")}`;
}

function makeChart(
  element: HTMLElement,
  latest: { readonly current: Props },
  setAt: (at: number | null) => void,
): uPlot {
  const { series, range, from, to } = latest.current;
  const style = getComputedStyle(element);
  const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
  const axis = {
    stroke: colour("quiet"),
    grid: { stroke: colour("grid"), width: 1 },
    ticks: { show: false },
  };
  const chart: uPlot = new uPlot(
    {
      width: element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: {
        drag: { x: true, y: false, setScale: false },
        sync: { key: "history" },
        points: { size: 6 },
      },
      scales: {
        x: { time: true, range: [from, to] },
        y: range ? { range: [range[0], range[1]] } : {},
      },
      axes: [
        { ...axis, ...timeAxis },
        { ...axis, size: 48 },
      ],
      series: [
        {},
        ...series.map((_, index) => ({
          stroke: colour(`series-${index % COLOURS}`),
          width: 1.75,
          dash: [...(DASHES[index % DASHES.length] ?? [])],
          points: { size: 4 },
        })),
      ],
      hooks: {
        setSelect: [
          (plot) => {
            const { left, width } = plot.select;
            if (width < 4) return;
            latest.current.onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
          },
        ],
        setCursor: [
          (plot) => {
            const index = plot.cursor.idx;
            setAt(index === null || index === undefined ? null : (plot.data[0][index] ?? null));
          },
        ],
      },
      plugins: [bandPlugin(series, colour, () => latest.current.marked)],
    },
    joined(series),
    element,
  );
  chart.over.addEventListener("click", () => {
    const { idx } = chart.cursor;
    const time = idx === null || idx === undefined ? undefined : chart.data[0][idx];
    if (time !== undefined && chart.select.width < 4) latest.current.onPick(time);
  });
  return chart;
}

function joined(series: readonly ChartSeries[]): uPlot.AlignedData {
  if (!series.length) return [[]];
  return uPlot.join(series.map((each) => [[...each.times], [...each.values]]));
}

function ChartLegend({ series, at }: { series: readonly ChartSeries[]; at: number | null }) {
  return (
    <ul class="legend">
      {series.map((each, index) => {
        const value = at === null ? undefined : each.values[each.times.indexOf(at)];
        return (
          <li key={each.label}>
            <svg
              class={`stroke stroke-${index % COLOURS}`}
              viewBox="0 0 28 8"
              width="28"
              height="8"
              aria-hidden="true"
            >
              <path d="M0 4h28" stroke-dasharray={DASHES[index % DASHES.length]?.join(" ")} />
            </svg>{" "}
            {each.label}
            {value !== undefined && <b> {quantity(value, each.unit)}</b>}
          </li>
        );
      })}
    </ul>
  );
}
