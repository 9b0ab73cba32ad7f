/** Filters, coolers, heaters and tanks, after ISO 1219-1, and what has no symbol of its own. */

import type { Box } from "../geometry";
import { middleOf } from "./machines";
import type { SymbolProps } from "./symbol";

export function Filter({ box }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <Diamond box={box} />
      <path class="dashed" d={`M${x - 24} ${y}h48`} />
    </>
  );
}

/** Arrows that lead heat out. */
export function Cooler({ box }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <Diamond box={box} />
      <path d={`M${x - 24} ${y}h48`} />
      <path class="solid" d={`M${x - 25} ${y}l9 -4.5v9z M${x + 25} ${y}l-9 -4.5v9z`} />
    </>
  );
}

/** Arrows that lead heat in. */
export function Heater({ box }: SymbolProps) {
  const { x, y } = middleOf(box);
  return (
    <>
      <Diamond box={box} />
      <path d={`M${x - 24} ${y}h48`} />
      <path class="solid" d={`M${x - 8} ${y}l-9 -4.5v9z M${x + 8} ${y}l9 -4.5v9z`} />
    </>
  );
}

/** An open tank; its lines end below the oil's surface. */
export function Tank({ box, ports }: SymbolProps) {
  const [top, bottom] = [box.y + 14, box.y + box.height - 4];
  return (
    <>
      <path class="thick" d={`M${box.x} ${top}V${bottom}H${box.x + box.width}V${top}`} />
      {ports.map((port) => (
        <path d={`M${port.x} ${box.y}V${bottom - 8}`} />
      ))}
    </>
  );
}

/** The frame of parts that are built as one block. */
export function Manifold({ box }: SymbolProps) {
  return <rect class="block" x={box.x} y={box.y} width={box.width} height={box.height} />;
}

/** A box with the first letters of its kind. */
export function Unknown({ box, kind }: SymbolProps) {
  const { x, y } = middleOf(box);
  const letters = kind
    .split("_")
    .map((word) => word.charAt(0).toUpperCase())
    .join("")
    .slice(0, 3);
  return (
    <>
      <rect x={box.x} y={box.y} width={box.width} height={box.height} rx={3} />
      <text class="letter" x={x} y={y + 7}>
        {letters}
      </text>
    </>
  );
}

function Diamond({ box }: { box: Box }) {
  const { x, y } = middleOf(box);
  const half = box.height / 2;
  return <path d={`M${x} ${y - half}l${half} ${half}l${-half} ${half}l${-half} ${-half}z`} />;
}
