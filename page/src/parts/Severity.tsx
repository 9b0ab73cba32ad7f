/** How serious an alarm is, told by shape, colour and word. */

import type { Severity } from "../api/types";

const WORDS: Readonly<Record<Severity, string>> = {
  critical: "Critical",
  warning: "Warning",
  info: "Info",
};
const SHAPES: Readonly<Record<Severity, string>> = {
  critical: "M5 1h6l4 4v6l-4 4h-6l-4 -4v-6z",
  warning: "M8 1.5l7 13h-14z",
  info: "M8 2a6 6 0 1 0 .01 0z",
};

export function SeverityTag({ severity }: { severity: Severity }) {
  return (
    <span class={`severity severity-${severity}`}>
      <svg class="mark" viewBox="0 0 16 16" aria-hidden="true">
        <path d={SHAPES[severity]} />
      </svg>{" "}
      {WORDS[severity]}
    </span>
  );
}
