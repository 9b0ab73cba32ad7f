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
  /** Id of the pattern of a component that nothing can be told of. */
  readonly hatch: string;
  readonly isChosen: boolean;
  /** Null: it cannot be chosen. */
  readonly onChoose: (() => void) | null;
}

export function DrawnPart({ drawn, shown, sensors, hatch, isChosen, onChoose }: PartProps) {
  const { component, symbol, label, labelBox } = drawn;
  const anchor = label.place === "left" ? "end" : label.place === "below" ? "middle" : "start";
  const x = labelBox.x + { start: 0, middle: labelBox.width / 2, end: labelBox.width }[anchor];
  const status = shown.health === null ? HEALTH_WORDS[shown.state] : percent(shown.health);
  const told = `${displayName(component.id)}: ${HEALTH_WORDS[shown.state]}${
    shown.health === null ? "" : ` ${status}`
  }`;
  return (
    <g
      class={`component is-${shown.state}${isChosen ? " is-chosen" : ""}${onChoose ? " can-be-chosen" : ""}`}
      data-component={component.id}
      data-state={shown.state}
      onClick={onChoose ?? undefined}
    >
      <title>{component.name || displayName(component.id)}</title>
      <rect
        class="ground"
        aria-label={told}
        {...(onChoose ? buttonOf(isChosen, onChoose) : { role: "img" })}
        fill={shown.state === "unknown" ? `url(#${hatch})` : undefined}
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

/** Return what makes an element a button that can be pressed with the keyboard. */
function buttonOf(isChosen: boolean, onChoose: () => void) {
  return {
    role: "button",
    tabindex: 0,
    "aria-pressed": isChosen,
    onKeyDown: (event: KeyboardEvent) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      onChoose();
    },
  } as const;
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
