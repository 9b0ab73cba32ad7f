/** Draw the machines of a report of an evaluation, as the page of the service draws them. */

import { render } from "preact";
import type { SensorState, Topology } from "./api/types";
import { Circuit } from "./circuit/Circuit";
import { HealthLegend } from "./parts/Health";
import "./styles/base.css";
import "./styles/circuit.css";
import "./styles/report.css";
import { healthState } from "./text/words";

/** What the report says of a machine in one window; it stands as JSON in the drawing's place. */
interface Drawn {
  readonly topology: Topology;
  /** By component id; without those that no answer judges. Null: no answer is reliable. */
  readonly health: Readonly<Record<string, number | null>>;
  /** Sensors that brought nothing. */
  readonly missing: readonly string[];
}

function Machine({ topology, health, missing }: Drawn) {
  const states = new Map(
    Object.entries(health).map(([id, found]) => {
      return [id, { state: healthState(found, found === null), health: found }] as const;
    }),
  );
  const sensors = new Map(missing.map((id): [string, SensorState] => [id, "missing"]));
  return (
    <>
      <Circuit
        topology={topology}
        states={states}
        sensors={sensors}
        chosen={null}
        onChoose={null}
      />
      <HealthLegend />
    </>
  );
}

for (const place of document.querySelectorAll("[data-machine]")) {
  const drawn = JSON.parse(place.querySelector("script")?.textContent ?? "") as Drawn;
  render(<Machine {...drawn} />, place);
}
