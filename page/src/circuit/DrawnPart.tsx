/** A component of the circuit: its symbol on the colour of its health, its label, its sensors. */

import type { SensorState } from "../api/types";
import { DrawnMark } from "../parts/Health";
import { displayName, HEALTH_WORDS, percent, SENSOR_WORDS, type HealthState } from "../text/words";
import type { DrawnComponent } from "./layout";
import { sensorLetter } from "./sensors";
import { sensorPlaces, TEXT_LINE } from "./sizes";
import { ComponentSymbol } from "./symbols/symbol";

/** What is shown of one component. */
export interface ComponentState {
  readonly state: HealthState;
  readonly health: number | null;
}

/** How far the colour reaches beyond the symbol. */
const AROUND = 5;

interface PartProps {
  readonly drawn: DrawnComponent;
  readonly shown: ComponentState;
  readonly sensors: ReadonlyMap<string, SensorState>;
  readonly isChosen: boolean;
  readonly onChoose: () => void;
}

export function DrawnPart({ drawn, shown, sensors, isChosen, onChoose }: PartProps) {
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

/** Width of the mark of a state, and of a letter after it. */
const MARK = 15;
const STATUS_LETTER = 7.4;

function Status({
  drawn,
  state,
  text,
}: {
  drawn: DrawnComponent;
  state: HealthState;
  text: string;
}) {
  const { label, labelBox } = drawn;
  const width = MARK + text.length * STATUS_LETTER;
  const x =
    labelBox.x +
    {
      right: 0,
      "above-shaft": 0,
      below: (labelBox.width - width) / 2,
      left: labelBox.width - width,
    }[label.place];
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

function SensorMarks({
  drawn,
  states,
}: {
  drawn: DrawnComponent;
  states: ReadonlyMap<string, SensorState>;
}) {
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
