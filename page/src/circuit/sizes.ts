/** Sizes of symbols and labels in the drawing's units, of which a letter's height is some 12. */

import type { Component } from "../api/types";
import { displayName } from "../text/words";
import { isDrive, portsOf } from "./kinds";
import type { Side } from "./nets";

/** Distance between ports of one side, between tracks of a channel, and of lines from each other. */
export const PITCH = 14;
/** Height of a line of text. */
export const TEXT_LINE = 15;
/** Distance between the marks of sensors. */
export const SENSOR_PITCH = 17;

const SYMBOL = 52;
const WIDTHS: Readonly<Record<string, number>> = { valve: 104, tank: 84, cylinder: 76 };
/** Width of the frame of a valve with more ports than its middle position has. */
const BLOCK = 16;
const LETTER = 6.8;
const LONGEST_LINE = 13;
const SENSORS_IN_A_ROW = 5;
/** The longest status, with its mark. */
const STATUS = "Cannot tell".length + 2.5;

export interface Size {
  readonly width: number;
  readonly height: number;
}

/** Return the size of a symbol with so many ports on its side with the most. */
export function symbolSize(component: Component, ports: number): Size {
  const block = portsOf(component) === "valve" && ports > 2 ? BLOCK : 0;
  const least = (WIDTHS[component.kind] ?? WIDTHS[portsOf(component)] ?? SYMBOL) + block;
  return { width: Math.max(least, (ports + 1) * PITCH), height: SYMBOL };
}

/** Where the label stands: beside the symbol, below it, or beside it above a shaft. */
export type LabelPlace = "right" | "left" | "below" | "above-shaft";

export interface Label extends Size {
  readonly place: LabelPlace;
  /** The component's name, in one or two lines. */
  readonly lines: readonly string[];
}

/** What leaves a component where its label could be. */
export interface Occupied {
  readonly left: boolean;
  readonly right: boolean;
  readonly bottom: boolean;
}

/** Return the label of a component, clear of its shafts and ports. */
export function labelOf(component: Component, occupied: Occupied): Label {
  const lines = wrap(displayName(component.id), LONGEST_LINE);
  const sensors = Math.min(component.sensors.length, SENSORS_IN_A_ROW) * SENSOR_PITCH;
  const letters = Math.max(STATUS, ...lines.map((line) => line.length));
  const rows = Math.ceil(component.sensors.length / SENSORS_IN_A_ROW);
  return {
    place: placeOf(component, occupied),
    lines,
    width: Math.ceil(Math.max(letters * LETTER, sensors)),
    height: (lines.length + 1) * TEXT_LINE + rows * SENSOR_PITCH,
  };
}

function placeOf(component: Component, { left, right, bottom }: Occupied): LabelPlace {
  if (!left && !right) return "right";
  if (isDrive(component) && !bottom) return "below";
  if (left && right) return "above-shaft";
  return right ? "left" : "right";
}

/** Return the places of sensor marks within a label, from its top left corner. */
export function sensorPlaces(
  component: Component,
  label: Label,
): readonly (readonly [number, number])[] {
  const top = (label.lines.length + 1) * TEXT_LINE;
  const free = label.width - Math.min(component.sensors.length, SENSORS_IN_A_ROW) * SENSOR_PITCH;
  const left = { right: 0, "above-shaft": 0, below: free / 2, left: free }[label.place];
  return component.sensors.map((_, index) => [
    left + (index % SENSORS_IN_A_ROW) * SENSOR_PITCH + SENSOR_PITCH / 2,
    top + Math.floor(index / SENSORS_IN_A_ROW) * SENSOR_PITCH + SENSOR_PITCH / 2,
  ]);
}

/** Break a name at a space if it is longer than one line; a single long word is cut. */
export function wrap(name: string, longest: number): string[] {
  const lines: string[] = [];
  for (const word of name.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < longest)
      lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  const shown = lines.length > 2 ? [lines[0] ?? "", `${lines[1]}…`] : lines;
  return shown.map((line) => (line.length > longest + 2 ? `${line.slice(0, longest + 1)}…` : line));
}

/** Return the distance of ports from the middle of their side, from left to right. */
export function portOffsets(count: number): number[] {
  return Array.from({ length: count }, (_, index) => (index - (count - 1) / 2) * PITCH);
}

export const SIDES: readonly Side[] = ["top", "bottom"];
