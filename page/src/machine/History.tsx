/** Health, probabilities and values over time. */

import { useMemo, useState } from "preact/hooks";
import { download, machinePath, withQuery } from "../api/client";
import { useLoaded } from "../api/hooks";
import type { Diagnosis, SeriesAnswer } from "../api/types";
import { Chart } from "../charts/Chart";
import { NeedsDatabase, Notice } from "../parts/Notice";
import { changeQuery, routeTo, type Route } from "../route";
import { dateTime, zoneName } from "../text/time";
import { LENGTHS, periodOf, type Period } from "./period";
import { seriesCharts } from "./seriesCharts";

/** Points of a series at most: some two for each pixel of a phone. */
const POINTS = 600;

interface Props {
  readonly route: Route;
  readonly equipmentId: string;
  readonly component: string | null;
  readonly newest: Diagnosis | null;
}

const WORDS = { window: "one point a window", hour: "means by the hour", day: "means by the day" };

export function History({ route, equipmentId, component, newest }: Props) {
  const last = newest ? Date.parse(newest.window.end) : null;
  const period = last === null ? null : periodOf(route, last);
  const path = period && seriesPath(equipmentId, period, component);
  const loaded = useLoaded<SeriesAnswer>(path);
  const charts = useMemo(
    () => seriesCharts(loaded.value?.series ?? [], component),
    [loaded.value, component],
  );
  const marked = route.query["window"] ? Date.parse(route.query["window"]) / 1000 : null;
  const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
  if (loaded.absent) {
    return (
      <section aria-labelledby="history">
        <h2 id="history">History</h2>
        <NeedsDatabase what="Charts over time" />
      </section>
    );
  }
  return (
    <section aria-labelledby="history">
      <h2 id="history">History</h2>
      {period && <PeriodChoice route={route} period={period} />}
      {path && <Notice loaded={loaded} what="the history" />}
      {period && loaded.value && !charts.length && <p>No reliable answers in this time.</p>}
      {period &&
        charts.map((chart) => (
          <div key={chart.title}>
            <Chart
              title={chart.title}
              series={chart.series}
              range={chart.range}
              from={period.from / 1000}
              to={period.to / 1000}
              marked={marked}
              onZoom={(from, to) =>
                changeQuery(route, { from: iso(from), to: iso(to), range: null })
              }
              onPick={(time) => changeQuery(route, { window: iso(time) })}
            />
            {chart.left > 0 && (
              <p class="quiet">{chart.left} more with less to tell are not drawn.</p>
            )}
          </div>
        ))}
      {period && loaded.value && charts.length > 0 && (
        <p class="quiet">
          {dateTime(new Date(period.from).toISOString())} to{" "}
          {dateTime(new Date(period.to).toISOString())}, {zoneName(new Date(period.to))};{" "}
          {WORDS[loaded.value.resolution]}, shaded from the lowest to the highest. Drag to zoom;
          click to show the window of that moment.
        </p>
      )}
      {path && <SaveSeries path={path} equipmentId={equipmentId} />}
    </section>
  );
}

/** Health is asked of all components, the rest of the chosen one alone. */
function seriesPath(equipmentId: string, period: Period, component: string | null): string {
  return withQuery(machinePath(equipmentId, "/series"), {
    from: new Date(period.from).toISOString(),
    to: new Date(period.to).toISOString(),
    points: POINTS,
    component_id: component,
  });
}

function PeriodChoice({ route, period }: { route: Route; period: Period }) {
  const to = (range: string) =>
    routeTo(route.parts, { ...route.query, range, from: null, to: null });
  return (
    <nav class="choice" aria-label="Length of the history">
      {Object.entries(LENGTHS).map(([name, { words }]) => (
        <a key={name} href={to(name)} aria-current={period.length === name ? "true" : undefined}>
          {words}
        </a>
      ))}
      {period.length === null && <span aria-current="true">Zoomed</span>}
    </nav>
  );
}

function SaveSeries({ path, equipmentId }: { path: string; equipmentId: string }) {
  const [problem, setProblem] = useState<string | null>(null);
  const save = () => {
    setProblem(null);
    download(`${path}&format=csv`, `${equipmentId}.csv`).catch((error: Error) =>
      setProblem(error.message),
    );
  };
  return (
    <p>
      <button type="button" onClick={save}>
        Download CSV
      </button>
      {problem !== null && (
        <span class="notice" role="alert">
          {" "}
          {problem}
        </span>
      )}
    </p>
  );
}
