/** The circuit of a machine, drawn with its health. */

import { useMemo } from "preact/hooks";
import type { SensorState, Topology } from "../api/types";
import { DrawnPart, type ComponentState } from "./DrawnPart";
import type { Segment } from "./geometry";
import { layOut, type DrawnNet } from "./layout";
import { LineLegend } from "./LineLegend";

interface Props {
  readonly topology: Topology;
  readonly states: ReadonlyMap<string, ComponentState>;
  /** By sensor id. */
  readonly sensors: ReadonlyMap<string, SensorState>;
  readonly chosen: string | null;
  /** Null: nothing can be chosen. */
  readonly onChoose: ((component: string) => void) | null;
}

export function Circuit({ topology, states, sensors, chosen, onChoose }: Props) {
  const drawing = useMemo(() => layOut(topology), [topology]);
  const hatch = `hatch-${topology.id}`;
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
            <pattern
              id={hatch}
              width="7"
              height="7"
              patternUnits="userSpaceOnUse"
              patternTransform="rotate(45)"
            >
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
              hatch={hatch}
              isChosen={drawn.component.id === chosen}
              onChoose={onChoose && (() => onChoose(drawn.component.id))}
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
    <g
      class={`line ${net.kind}`}
      data-lines={net.lines.map((line) => `${line.source}-${line.target}`).join(" ")}
    >
      {net.kind === "mechanical" ? (
        net.segments.map((segment, index) => <Shaft key={index} segment={segment} />)
      ) : (
        <path
          d={net.segments.map(({ from, to }) => `M${from.x} ${from.y}L${to.x} ${to.y}`).join("")}
        />
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
    <path
      d={`M${from.x - dx} ${from.y - dy}L${to.x - dx} ${to.y - dy}M${from.x + dx} ${from.y + dy}L${to.x + dx} ${to.y + dy}`}
    />
  );
}
