/** The circuit of a machine, drawn with its health. */

import { useMemo } from "preact/hooks";
import type { LineKind, SensorState, Topology } from "../api/types";
import { DrawnMark } from "../parts/Health";
import { displayName, HEALTH_WORDS, percent, SENSOR_WORDS, type HealthState } from "../text/words";
import type { Segment } from "./geometry";
import { layOut, type DrawnComponent, type DrawnNet } from "./layout";
import { sensorLetter } from "./sensors";
import { sensorPlaces, TEXT_LINE } from "./sizes";
import { ComponentSymbol } from "./symbols/symbol";

/** What is shown of one component. */
export interface ComponentState {
  readonly state: HealthState;
  readonly health: number | null;
}

interface Props {
  readonly topology: Topology;
  readonly states: ReadonlyMap<string, ComponentState>;
  /** By sensor id. */
  readonly sensors: ReadonlyMap<string, SensorState>;
  readonly chosen: string | null;
  readonly onChoose: (component: string) => void;
}

const AROUND = 5;

export function Circuit({ topology, states, sensors, chosen, onChoose }: Props) {
  const drawing = useMemo(() => layOut(topology), [topology]);
  return (
    <>
      <div class="circuit" tabindex={0} role="region" aria-label="Circuit, can be scrolled">
        <svg
          viewBox={`0 0 ${drawing.width} ${drawing.height}`}
          width={drawing.width}
          height={drawing.height}
          role="group"
          aria-label="Components and lines of the machine"
        >
          <defs>
            <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect class="hatch" width="3" height="7" />
            </pattern>
          </defs>
          {drawing.nets.map((net, index) => (
            <NetLines key={index} net={net} />
          ))}
          {drawing.components.map((drawn) => (
            <DrawnPart
              key={drawn.component.id}
              drawn={drawn}
              shown={states.get(drawn.component.id) ?? { state: "unjudged", health: null }}
              sensors={sensors}
              isChosen={drawn.component.id === chosen}
              onChoose={() => onChoose(drawn.component.id)}
            />
          ))}
        </svg>
      </div>
      <LineLegend kinds={[...new Set(drawing.nets.map((net) => net.kind))]} />
    </>
  );
}

function NetLines({ net }: { net: DrawnNet }) {
  return (
    <g class={`line ${net.kind}`} data-lines={net.lines.map((line) => `${line.source}-${line.target}`).join(" ")}>
      {net.kind === "mechanical" ? (
        net.segments.map((segment, index) => <Shaft key={index} segment={segment} />)
      ) : (
        <path d={net.segments.map(({ from, to }) => `M${from.x} ${from.y}L${to.x} ${to.y}`).join("")} />
      )}
      {net.junctions.map((point) => (
        <circle key={`${point.x} ${point.y}`} cx={point.x} cy={point.y} r={3} />
      ))}
    </g>
  );
}

/** Two parallel lines. */
function Shaft({ segment: { from, to } }: { segment: Segment }) {
  const [dx, dy] = from.y === to.y ? [0, 2.5] : [2.5, 0];
  return (
    <path d={`M${from.x - dx} ${from.y - dy}L${to.x - dx} ${to.y - dy}M${from.x + dx} ${from.y + dy}L${to.x + dx} ${to.y + dy}`} />
  );
}

interface PartProps {
  readonly drawn: DrawnComponent;
  readonly shown: ComponentState;
  readonly sensors: ReadonlyMap<string, SensorState>;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

function DrawnPart({ drawn, shown, sensors, isChosen, onChoose }: PartProps) {
  const { component, symbol, label, labelBox } = drawn;
  const anchor = label.place === "left" ? "end" : label.place === "below" ? "middle" : "start";
  const x = labelBox.x + { start: 0, middle: labelBox.width / 2, end: labelBox.width }[anchor];
  const status = shown.health === null ? HEALTH_WORDS[shown.state] : percent(shown.health);
  const activate = (event: KeyboardEvent) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onChoose();
  };
  return (
    <g
      class={`component is-${shown.state}${isChosen ? " is-chosen" : ""}`}
      data-component={component.id}
      data-state={shown.state}
      onClick={onChoose}
    >
      <title>{component.name || displayName(component.id)}</title>
      <rect
        class="ground"
        role="button"
        tabindex={0}
        aria-pressed={isChosen}
        aria-label={`${displayName(component.id)}: ${HEALTH_WORDS[shown.state]}${
          shown.health === null ? "" : ` ${status}`
        }`}
        onKeyDown={activate}
        fill={shown.state === "unknown" ? "url(#hatch)" : undefined}
        x={symbol.x - AROUND}
        y={symbol.y}
        width={symbol.width + 2 * AROUND}
        height={symbol.height}
        rx={6}
      />
      <g class="symbol">
        <ComponentSymbol component={component} box={symbol} ports={drawn.ports} />
      </g>
      <text x={x} text-anchor={anchor}>
        {label.lines.map((line, index) => (
          <tspan key={index} x={x} y={labelBox.y + (index + 1) * TEXT_LINE - 3}>
            {line}
          </tspan>
        ))}
      </text>
      <Status drawn={drawn} state={shown.state} text={status} />
      <SensorMarks drawn={drawn} states={sensors} />
    </g>
  );
}

const MARK = 15;
const STATUS_LETTER = 7.4;

function Status({ drawn, state, text }: { drawn: DrawnComponent; state: HealthState; text: string }) {
  const { label, labelBox } = drawn;
  const width = MARK + text.length * STATUS_LETTER;
  const x = labelBox.x + { right: 0, "above-shaft": 0, below: (labelBox.width - width) / 2, left: labelBox.width - width }[label.place];
  const y = labelBox.y + (label.lines.length + 1) * TEXT_LINE - 3;
  return (
    <>
      <DrawnMark state={state} x={x} y={y - 11} />
      <text class="status" x={x + MARK} y={y}>
        {text}
      </text>
    </>
  );
}

function SensorMarks({ drawn, states }: { drawn: DrawnComponent; states: ReadonlyMap<string, SensorState> }) {
  const { component, label, labelBox } = drawn;
  const places = sensorPlaces(component, label);
  return (
    <>
      {component.sensors.map((sensor, index) => {
        const [dx, dy] = places[index] ?? [0, 0];
        const [x, y] = [labelBox.x + dx, labelBox.y + dy];
        const state = states.get(sensor.id) ?? "ok";
        return (
          <g key={sensor.id} class={`sensor is-${state}`} data-sensor={sensor.id}>
            <title>{`${sensor.id}: ${displayName(sensor.kind)}${state === "ok" ? "" : `, ${SENSOR_WORDS[state].toLowerCase()}`}`}</title>
            <circle cx={x} cy={y} r={7} />
            <text x={x} y={y + 3.2}>
              {sensorLetter(sensor.kind)}
            </text>
            {state !== "ok" && <path d={`M${x - 7} ${y + 7}l14 -14`} />}
          </g>
        );
      })}
    </>
  );
}

const LINE_WORDS: Readonly<Record<LineKind, string>> = {
  pressure_line: "Pressure",
  return_line: "Return",
  suction_line: "Suction",
  drain_line: "Leakage",
  pilot_line: "Pilot",
  gas_line: "Gas",
  mechanical: "Shaft or rod",
  link: "Connection",
};

function LineLegend({ kinds }: { kinds: readonly LineKind[] }) {
  return (
    <ul class="legend" aria-label="Lines">
      {kinds.map((kind) => (
        <li key={kind}>
          <svg class={`line ${kind}`} viewBox="0 0 28 8" width="28" height="8" aria-hidden="true">
            {kind === "mechanical" ? <path d="M0 1.5h28M0 6.5h28" /> : <path d="M0 4h28" />}
          </svg>{" "}
          {LINE_WORDS[kind]}
        </li>
      ))}
      <li>
        <svg class="sensor" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <circle cx="8" cy="8" r="7" />
        </svg>{" "}
        Sensor
      </li>
      <li>
        <svg class="sensor is-missing" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
          <circle cx="8" cy="8" r="7" />
          <path d="M1 15l14 -14" />
        </svg>{" "}
        Sensor missing or suspect
      </li>
    </ul>
  );
}
