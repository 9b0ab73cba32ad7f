/** Marks of health: each state has a shape, a colour and a word, so none is told by colour alone. */

import { HEALTH_WORDS, percent, type HealthState } from "../text/words";

const SHAPES: Readonly<Record<HealthState, string>> = {
  sound: "M8 2.5a5.5 5.5 0 1 0 .01 0z",
  degraded: "M8 1.5l7 13h-14z",
  faulty: "M2 2h12v12h-12z",
  unknown: "M8 .5l7.5 7.5l-7.5 7.5l-7.5 -7.5z",
  unjudged: "M3 7h10v2h-10z",
};

/** Draw the mark of a state. */
export function HealthMark({ state }: { state: HealthState }) {
  return (
    <svg class={`mark mark-${state}`} viewBox="0 0 16 16" aria-hidden="true">
      <path d={SHAPES[state]} />
    </svg>
  );
}

/** Draw the same mark within a drawing, 12 units high. */
export function DrawnMark({ state, x, y }: { state: HealthState; x: number; y: number }) {
  return (
    <path
      class={`mark-${state}`}
      d={SHAPES[state]}
      transform={`translate(${x} ${y}) scale(0.75)`}
    />
  );
}

/** Show a state in words, with the health itself where there is one. */
export function HealthText({ state, health }: { state: HealthState; health: number | null }) {
  return (
    <span class="health">
      <HealthMark state={state} />
      <span>
        {HEALTH_WORDS[state]}
        {health === null ? "" : ` ${percent(health)}`}
      </span>
    </span>
  );
}

/** Explain the marks. */
export function HealthLegend() {
  const states: readonly HealthState[] = ["sound", "degraded", "faulty", "unknown", "unjudged"];
  const ranges: Partial<Record<HealthState, string>> = {
    sound: "80 % and more",
    degraded: "50 to 80 %",
    faulty: "below 50 %",
  };
  return (
    <ul class="legend" aria-label="Health">
      {states.map((state) => (
        <li key={state}>
          <HealthMark state={state} /> {HEALTH_WORDS[state]}
          {ranges[state] && <small> {ranges[state]}</small>}
        </li>
      ))}
    </ul>
  );
}
