/** Which of a machine's series are drawn, and together with which others. */

import type { Measure, Series } from "../api/types";
import type { ChartSeries } from "../charts/Chart";
import { groupBy } from "../groupBy";
import { displayName, unitName } from "../text/words";

/** More lines in one chart cannot be told apart. */
const MOST = 6;

export interface SeriesChart {
  readonly title: string;
  readonly series: readonly ChartSeries[];
  readonly range: readonly [number, number] | null;
  /** How many further series are not drawn. */
  readonly left: number;
}

const TITLES: Readonly<Record<Measure, string>> = {
  health: "Health",
  probability: "Probability of faults and classes",
  value: "Values",
  normality: "Distance from normal, as a share of the threshold",
};

/** Return the charts of one component, or of the machine with the worst of all components. */
export function seriesCharts(all: readonly Series[], component: string | null): SeriesChart[] {
  const own = all.filter((each) => each.component_id === (component ?? ""));
  const lowest = (each: Series) => Math.min(...each.points.map(([, , low]) => low));
  const highest = (each: Series) => Math.max(...each.points.map(([, , , high]) => high));
  const ofMeasure = (series: readonly Series[], measure: Measure) =>
    series.filter((each) => each.measure === measure && each.points.length);
  const worst = (series: readonly Series[]) =>
    series.toSorted((one, other) => lowest(one) - lowest(other));
  const most = (series: readonly Series[]) =>
    series.toSorted((one, other) => highest(other) - highest(one));
  const health = ofMeasure(component === null ? all : own, "health").filter(
    (each) => component !== null || !each.head,
  );
  const machineFirst = worst(health).toSorted(
    (one, other) => +!!one.component_id - +!!other.component_id,
  );
  const values = groupBy(ofMeasure(own, "value"), (each) => `${each.head} ${each.unit}`);
  return [
    chartOf("health", TITLES.health, machineFirst, [0, 1]),
    chartOf("probability", TITLES.probability, most(ofMeasure(own, "probability")), [0, 1]),
    ...[...values.values()].map((group) => chartOf("value", valueTitle(group), most(group), null)),
    chartOf(
      "normality",
      TITLES.normality,
      most(ofMeasure(component === null ? all : own, "normality")),
      null,
    ),
  ].filter((chart) => chart.series.length);
}

function valueTitle(group: readonly Series[]): string {
  const [first] = group;
  if (!first) return TITLES.value;
  return `${displayName(first.head)}${first.unit ? ` in ${unitName(first.unit)}` : ""}`;
}

function chartOf(
  measure: Measure,
  title: string,
  series: readonly Series[],
  range: readonly [number, number] | null,
): SeriesChart {
  return {
    title,
    range,
    left: Math.max(0, series.length - MOST),
    series: series.slice(0, MOST).map((each) => ({
      label: labelOf(each, measure),
      unit: each.unit,
      times: each.points.map(([time]) => Date.parse(time) / 1000),
      values: each.points.map(([, mean]) => mean),
      low: each.points.map(([, , low]) => low),
      high: each.points.map(([, , , high]) => high),
    })),
  };
}

function labelOf(series: Series, measure: Measure): string {
  const of = series.component_id ? displayName(series.component_id) : "Machine";
  if (measure === "health" || measure === "normality")
    return series.head ? `${of}, ${displayName(series.head)}` : of;
  return displayName(series.label || series.head);
}
