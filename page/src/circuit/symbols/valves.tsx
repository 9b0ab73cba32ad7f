/** Valves, after ISO 1219-1. */

import type { Box, Point } from "../geometry";
import { Adjustment, middleOf } from "./machines";
import type { SymbolProps } from "./symbol";

const SQUARE = 26;

/** A valve with three positions: crossed, closed and straight. Solenoids and springs move it. */
export function DirectionalValve(props: SymbolProps) {
  return <SpoolValve {...props} proportional={false} />;
}

/** Lines beside the squares say that it also takes all positions between them. */
export function ProportionalValve(props: SymbolProps) {
  return <SpoolValve {...props} proportional />;
}

function SpoolValve({ box, ports, proportional }: SymbolProps & { proportional: boolean }) {
  const { x, y } = middleOf(box);
  const [left, top, half] = [x - 1.5 * SQUARE, y - SQUARE / 2, SQUARE / 2];
  // Ports beside the middle square belong to the block around the valve.
  const direct = ports.every((port) => Math.abs(port.x - x) < half);
  const beyond = proportional ? 4 : 0;
  return (
    <>
      {direct ? (
        <Stubs ports={ports} middle={y} reach={half} />
      ) : (
        <rect class="block" x={box.x} y={box.y} width={box.width} height={box.height} />
      )}
      <rect x={left} y={top} width={3 * SQUARE} height={SQUARE} />
      <path d={`M${left + SQUARE} ${top}v${SQUARE} M${left + 2 * SQUARE} ${top}v${SQUARE}`} />
      {proportional && (
        <path
          d={`M${left} ${top - beyond}h${3 * SQUARE} M${left} ${top + SQUARE + beyond}h${3 * SQUARE}`}
        />
      )}
      <path
        d={`M${left + 7} ${top + SQUARE}l12 ${-SQUARE} M${left + 19} ${top + SQUARE}l-12 ${-SQUARE}`}
      />
      <path
        d={`M${x - 7} ${top}v6 M${x - 10} ${top + 6}h6 M${x + 7} ${top}v6 M${x + 4} ${top + 6}h6
          M${x - 7} ${top + SQUARE}v-6 M${x - 10} ${top + SQUARE - 6}h6 M${x + 7} ${top + SQUARE}v-6 M${x + 4} ${top + SQUARE - 6}h6`}
      />
      <Arrow x={left + 2 * SQUARE + 7} from={top + SQUARE} to={top} />
      <Arrow x={left + 2 * SQUARE + 19} from={top} to={top + SQUARE} />
      <Solenoid x={left - half} y={top + 6} proportional={proportional} />
      <Solenoid x={left + 3 * SQUARE} y={top + 6} proportional={proportional} />
    </>
  );
}

function Solenoid({ x, y, proportional }: Point & { proportional: boolean }) {
  const [width, height] = [SQUARE / 2, 14];
  return (
    <>
      <rect x={x} y={y} width={width} height={height} />
      <path d={`M${x + 2} ${y + height}L${x + width - 2} ${y}`} />
      {proportional && <path class="solid" d={`M${x + width - 1} ${y - 3}l-6 3l4 3z`} />}
    </>
  );
}

/** Opens at too high an inlet pressure, which a dashed line leads to it against a spring. */
export function ReliefValve({ box, ports }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <PressureValve box={box} ports={ports} arrowX={x + 5} />
      <path class="dashed" d={`M${x} ${y + 22}h-20V${y}h5`} />
    </>
  );
}

/** Closes at too high an outlet pressure. */
export function ReducingValve({ box, ports }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <PressureValve box={box} ports={ports} arrowX={x} />
      <path class="dashed" d={`M${x} ${y - 22}h-20V${y}h5`} />
    </>
  );
}

function PressureValve({
  box,
  ports,
  arrowX,
}: {
  box: Box;
  ports: readonly Point[];
  arrowX: number;
}) {
  const { x, y } = middleOf(box);
  const half = 15;
  return (
    <>
      <Stubs ports={ports} middle={y} reach={half} />
      <rect x={x - half} y={y - half} width={2 * half} height={2 * half} />
      <Arrow x={arrowX} from={y + half} to={y - half} />
      <path d={`M${x + half} ${y}l2 -5l3 10l3 -10l2 5`} />
    </>
  );
}

/** A ball on a seat. */
export function CheckValve({ box, ports }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <Stubs ports={ports} middle={y} reach={10} />
      <circle cx={x} cy={y} r={8} />
      <path d={`M${x - 14} ${y - 4}L${x} ${y + 11}L${x + 14} ${y - 4}`} />
    </>
  );
}

/** An adjustable throttle. */
export function FlowControlValve({ box, ports }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <Stubs ports={ports} middle={y} reach={0} />
      <path
        d={`M${x - 14} ${y - 12}Q${x - 2} ${y} ${x - 14} ${y + 12} M${x + 14} ${y - 12}Q${x + 2} ${y} ${x + 14} ${y + 12}`}
      />
      <Adjustment x={x} y={y} reach={22} />
    </>
  );
}

function Arrow({ x, from, to }: { x: number; from: number; to: number }) {
  const back = from > to ? 7 : -7;
  return (
    <>
      <path d={`M${x} ${from}V${to}`} />
      <path class="solid" d={`M${x} ${to}l-3 ${back}h6z`} />
    </>
  );
}

/** Lines from the ports to a symbol that is `reach` high on both sides of the middle. */
export function Stubs({
  ports,
  middle,
  reach,
}: {
  ports: readonly Point[];
  middle: number;
  reach: number;
}) {
  return (
    <>
      {ports.map((port) => (
        <path d={`M${port.x} ${port.y}V${port.y > middle ? middle + reach : middle - reach}`} />
      ))}
    </>
  );
}
