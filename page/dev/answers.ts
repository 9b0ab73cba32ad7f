/** Answers of the made-up service: overview, series, signals. */

import type {
  FleetMachine,
  Overview,
  Series,
  SeriesAnswer,
  SensorState,
  WindowSignal,
  WindowSignals,
} from "../src/api/types.ts";
import {
  chance,
  componentHealth,
  LABELS,
  machineHealth,
  probability,
  WINDOW_MS,
  type Example,
} from "./fleet.ts";

const [HOUR_MS, DAY_MS] = [3_600_000, 86_400_000];
const iso = (time: number) => new Date(time).toISOString();

export function overview(
  fleet: ReadonlyMap<string, Example>,
  open: (id: string) => number,
  query: URLSearchParams,
): Overview {
  const wanted = (query.get("search") ?? "").toLowerCase();
  const found = [...fleet.values()]
    .filter(({ machine: { equipment } }) =>
      `${equipment.equipment_id} ${equipment.name}`.toLowerCase().includes(wanted),
    )
    .map((each) => fleetMachine(each, open(each.machine.equipment.equipment_id)))
    .toSorted((one, other) => (one.health ?? 2) - (other.health ?? 2));
  const offset = Number(query.get("offset") ?? 0);
  return {
    total: found.length,
    machines: found.slice(offset, offset + Number(query.get("limit") ?? 50)),
  };
}

function fleetMachine(each: Example, alarms: number): FleetMachine {
  const { equipment, topology } = each.machine;
  const health = machineHealth(each, each.lastSeen);
  const days = Array.from({ length: 30 }, (_, index) => each.lastSeen - (29 - index) * DAY_MS);
  const unknown = each.seed % 11 === 10;
  return {
    equipment_id: equipment.equipment_id,
    name: equipment.name,
    topology: topology.id,
    health: unknown ? null : health,
    cannot_tell: unknown,
    last_seen: iso(each.lastSeen),
    trend: days.map((day) => [iso(day), machineHealth(each, day)]),
    open_alarms: alarms,
    worst: alarms ? (health < 0.5 ? "critical" : "warning") : null,
    finding: each.fault && health < 0.7 ? `${each.fault.component}: ${each.fault.label}` : null,
  };
}

export function series(each: Example, query: URLSearchParams): SeriesAnswer {
  const points = Number(query.get("points") ?? 300);
  const to = Math.min(Date.parse(query.get("to") ?? ""), each.lastSeen);
  const from = Date.parse(query.get("from") ?? "");
  const [resolution, step] =
    (to - from) / WINDOW_MS <= 3 * points
      ? ([
          "window",
          Math.max(WINDOW_MS, Math.ceil((to - from) / points / WINDOW_MS) * WINDOW_MS),
        ] as const)
      : (to - from) / HOUR_MS <= 2 * points
        ? (["hour", HOUR_MS] as const)
        : (["day", DAY_MS] as const);
  const times: number[] = [];
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) times.push(time);
  const spread = resolution === "window" ? 0 : 0.03;
  const of = (
    component_id: string,
    head: string,
    label: string,
    measure: Series["measure"],
    value: (time: number) => number,
  ) => ({
    component_id,
    head,
    label,
    measure,
    unit: "",
    points: times.map((time) => {
      const mean = value(time);
      return [iso(time), mean, Math.max(0, mean - spread), Math.min(1, mean + spread)] as const;
    }),
  });
  const ids = each.machine.topology.components.map(({ id }) => id);
  const asked = query.get("component_id");
  return {
    resolution,
    series: [
      of("", "", "", "health", (time) => machineHealth(each, time)),
      ...ids.map((id) => of(id, "", "", "health", (time) => componentHealth(each, id, time))),
      ...LABELS.map((label) =>
        asked
          ? of(asked, "component_anomalies", label, "probability", (time) =>
              probability(each, asked, label, time),
            )
          : of("", "anomalies", label, "probability", (time) =>
              Math.max(...ids.map((id) => probability(each, id, label, time))),
            ),
      ),
    ],
  };
}

export function seriesCsv(answer: SeriesAnswer): string {
  const rows = answer.series.flatMap((each) =>
    each.points.map(([time, ...values]) =>
      [time, each.component_id, each.head, each.label, each.measure, ...values].join(","),
    ),
  );
  return ["time,component_id,head,label,measure,mean,lowest,highest", ...rows].join("\n");
}

export function signals(each: Example, query: URLSearchParams): WindowSignals {
  const start = Date.parse(query.get("start") ?? "");
  const points = Number(query.get("points") ?? 200);
  const sensors = each.machine.topology.components.flatMap((component) => component.sensors);
  return {
    start: iso(start),
    end: iso(start + WINDOW_MS),
    signals: Object.fromEntries(
      sensors.map((sensor) => {
        const state = each.broken.get(sensor.id) ?? "ok";
        return [sensor.id, signal(sensor.id, sensor.unit, state, start, points)];
      }),
    ),
  };
}

/** Two load cycles a window, with steps as valves make them, and noise. */
function signal(
  id: string,
  unit: string,
  state: SensorState,
  start: number,
  points: number,
): WindowSignal {
  const [level, swing] = [20 + 120 * chance("level", id), 10 + 60 * chance("swing", id)];
  const values = Array.from({ length: points }, (_, index) => {
    const time = iso(start + (WINDOW_MS * index) / points);
    if (state === "missing") return [time, null, null] as const;
    const phase = ((2 * index) / points + chance("phase", id)) % 1;
    const step = state === "stuck" ? 0 : phase < 0.35 ? 1 : phase < 0.5 ? 0.4 : 0.05;
    const noise = state === "stuck" ? 0 : 2 * chance("noise", id, index, start);
    const low = level + swing * step + noise;
    return [time, low, low + noise] as const;
  });
  const moments =
    chance("moment", id) < 0.2 ? [[iso(start + 12_000), iso(start + 21_000)] as const] : [];
  return { unit, state, values, moments };
}
