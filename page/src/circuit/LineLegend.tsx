/** Explains the lines and sensors of a circuit. */

import type { LineKind } from "../api/types";

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

/** Show the kinds of lines that occur. */
export function LineLegend({ kinds }: { kinds: readonly LineKind[] }) {
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
        <svg
          class="sensor is-missing"
          viewBox="0 0 16 16"
          width="16"
          height="16"
          aria-hidden="true"
        >
          <circle cx="8" cy="8" r="7" />
          <path d="M1 15l14 -14" />
        </svg>{" "}
        Sensor missing or suspect
      </li>
    </ul>
  );
}
