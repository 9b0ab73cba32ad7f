/** The service's answers, as its OpenAPI description has them. Times are in ISO 8601. */

export interface Sensor {
  readonly id: string;
  readonly kind: string;
  readonly unit: string;
  readonly position: string | null;
  readonly description: string;
}

export interface Component {
  readonly id: string;
  readonly kind: string;
  readonly name: string;
  readonly nominal: Readonly<Record<string, number>>;
  readonly sensors: readonly Sensor[];
}

export type LineKind =
  | "pressure_line"
  | "return_line"
  | "suction_line"
  | "drain_line"
  | "pilot_line"
  | "gas_line"
  | "mechanical"
  | "link";

export interface Line {
  readonly source: string;
  readonly target: string;
  readonly kind: LineKind;
}

export interface Topology {
  readonly id: string;
  readonly components: readonly Component[];
  readonly edges: readonly Line[];
}

export interface Equipment {
  readonly equipment_id: string;
  readonly name: string;
  readonly manufacturer: string | null;
  readonly model: string | null;
  readonly serial_number: string | null;
  readonly location: string | null;
}

export interface Machine {
  readonly equipment: Equipment;
  readonly topology: Topology;
}

/** The answer of one head to a component or the machine. */
export interface Finding {
  readonly kind: string;
  readonly reliable: boolean | null;
  readonly right: number | null;
  readonly reasons: readonly string[] | null;
  readonly outcome: string | null;
  readonly value: number | null;
  readonly values: Readonly<Record<string, number>> | null;
  readonly interval: readonly [number, number] | null;
  readonly unit: string | null;
  readonly probabilities: Readonly<Record<string, number>> | null;
  readonly flags: readonly string[] | null;
  readonly health: number | null;
}

export type SensorState = "ok" | "missing" | "stuck" | "doubtful";

export interface Diagnosis {
  readonly equipment_id: string;
  readonly window: { readonly start: string; readonly end: string };
  readonly model: { readonly task: string; readonly version: string };
  readonly health: number | null;
  readonly machine: Readonly<Record<string, Finding>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, Finding>>>>;
  readonly component_health: Readonly<Record<string, number>>;
  readonly normality: {
    readonly machine: number | null;
    readonly components: Readonly<Record<string, number | null>>;
    readonly sensors: Readonly<Record<string, number | null>>;
    /** The probability of each component, by its id, given that one of them is to blame. */
    readonly blame: Readonly<Record<string, number>> | null;
  } | null;
  readonly fitness: {
    readonly unlike: boolean;
    readonly sensors: Readonly<
      Record<string, { readonly state: SensorState; readonly reason: string }>
    >;
  } | null;
  readonly missing: Readonly<Record<string, { readonly samples: number; readonly steps: number }>>;
}

/** `GET v1/equipment/{id}`: the machine and the last window in the service's memory. */
export interface EquipmentDetail {
  readonly machine: Machine;
  readonly diagnosis: Diagnosis | null;
  readonly signals: Readonly<
    Record<string, { readonly unit: string; readonly values: readonly (number | null)[] }>
  >;
}

export type Severity = "critical" | "warning" | "info";

/** A machine in `GET v1/overview`. */
export interface FleetMachine {
  readonly equipment_id: string;
  readonly name: string;
  readonly topology: string;
  readonly health: number | null;
  readonly cannot_tell: boolean;
  readonly last_seen: string | null;
  readonly trend: readonly (readonly [time: string, lowest: number])[];
  readonly open_alarms: number;
  readonly worst: Severity | null;
  readonly finding: string | null;
}

export interface Overview {
  readonly total: number;
  readonly machines: readonly FleetMachine[];
}

export interface DiagnosisPage {
  readonly diagnoses: readonly Diagnosis[];
  readonly next: string | null;
}

export type Measure = "health" | "probability" | "value" | "normality";

export interface Series {
  readonly component_id: string;
  readonly head: string;
  readonly label: string;
  readonly measure: Measure;
  readonly unit: string;
  readonly points: readonly (readonly [
    time: string,
    mean: number,
    lowest: number,
    highest: number,
  ])[];
}

export interface SeriesAnswer {
  readonly resolution: "window" | "hour" | "day";
  readonly series: readonly Series[];
}

export interface WindowSignal {
  readonly unit: string;
  readonly state: SensorState;
  readonly values: readonly (readonly [time: string, low: number | null, high: number | null])[];
  /** Stretches that drove the answer, where the service attributes it. */
  readonly moments?: readonly (readonly [start: string, end: string])[];
}

export interface WindowSignals {
  readonly start: string;
  readonly end: string;
  readonly signals: Readonly<Record<string, WindowSignal>>;
}

export type AlarmState = "open" | "acknowledged" | "closed";
export type Verdict = "confirmed" | "false_alarm" | "repaired";

export interface AlarmEvent {
  readonly action:
    "raised" | "acknowledged" | "over" | "reopened" | "closed" | "commented" | "judged";
  readonly actor: string;
  readonly note: string;
  readonly verdict: Verdict | null;
  readonly at: string;
}

export interface Alarm {
  readonly alarm_id: number;
  readonly equipment_id: string;
  readonly rule: string;
  readonly component_id: string;
  readonly head: string;
  readonly finding: string;
  readonly severity: Severity;
  readonly state: AlarmState;
  readonly since: string;
  readonly raised_at: string;
  readonly last_at: string;
  readonly over_at: string | null;
  readonly windows: number;
  readonly peak: number;
  readonly model: string;
  readonly drivers: readonly { readonly sensor: string; readonly share: number }[] | null;
  readonly verdict: Verdict | null;
  readonly events: readonly AlarmEvent[];
}

export interface AlarmPage {
  readonly alarms: readonly Alarm[];
  readonly next: string | null;
}
