/** Pumps, motors, drives, cylinders and accumulators, after ISO 1219-1. */

import type { SymbolProps } from "./symbol";

const RADIUS = 26;

/** A circle with a triangle that points outwards; an arrow through it if it is variable. */
export function Pump({ box, variable }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <circle cx={x} cy={y} r={RADIUS} />
      <path class="solid" d={`M${x} ${y - RADIUS}l9 15h-18z`} />
      {variable && <Adjustment x={x} y={y} reach={29} />}
    </>
  );
}

/** A circle with triangles that point inwards, as oil turns it in both directions. */
export function HydraulicMotor({ box }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <circle cx={x} cy={y} r={RADIUS} />
      <path
        class="solid"
        d={`M${x} ${y + RADIUS - 16}l9 15h-18z M${x} ${y - RADIUS + 16}l9 -15h-18z`}
      />
    </>
  );
}

export function ElectricMotor({ box }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <circle cx={x} cy={y} r={RADIUS} />
      <text class="letter" x={x} y={y + 8}>
        M
      </text>
    </>
  );
}

/** A prime mover that is not electric. */
export function CombustionEngine({ box }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <rect x={box.x + 4} y={box.y + 4} width={box.width - 8} height={box.height - 8} />
      <path d={`M${box.x + box.width - 4} ${y}h4 M${box.x} ${y}h4`} />
      <text class="letter" x={x} y={y + 8}>
        M
      </text>
    </>
  );
}

/** A double-acting cylinder; its piston stands beyond the port. */
export function Cylinder({ box, ports }: SymbolProps) {
  const { y } = middleOf(box);
  const [left, length, half] = [box.x, 60, 12];
  return (
    <>
      <rect x={left} y={y - half} width={length} height={2 * half} />
      <path class="thick" d={`M${left + 48} ${y - half}v${2 * half}`} />
      <path d={`M${left + 48} ${y - 3}H${box.x + box.width}v6H${left + 48}`} />
      {ports.map((port) => (
        <path d={`M${port.x} ${port.y}V${port.y > y ? y + half : y - half}`} />
      ))}
    </>
  );
}

/** A gas-loaded accumulator: gas above, oil below. */
export function Accumulator({ box }: SymbolProps) {
  const { x, y } = middleOf(box);
  const half = 14;
  return (
    <>
      <rect x={x - half} y={box.y} width={2 * half} height={box.height} rx={half} />
      <path d={`M${x - half} ${y + 2}h${2 * half} M${x - 6} ${y - 15}h12l-6 11z`} />
    </>
  );
}

/** The arrow that says that something can be adjusted. */
export function Adjustment({ x, y, reach }: { x: number; y: number; reach: number }) {
  const end = reach * 0.8;
  return (
    <>
      <path d={`M${x - end} ${y + end}L${x + end} ${y - end}`} />
      <path class="solid" d={`M${x + end} ${y - end}l-10 4l6 6z`} />
    </>
  );
}

export function middleOf(box: { x: number; y: number; width: number; height: number }) {
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}
