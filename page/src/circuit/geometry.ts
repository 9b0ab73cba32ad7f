/** Points, boxes and segments of a drawing, in its own units: x to the right, y downwards. */

export interface Point {
  readonly x: number;
  readonly y: number;
}

export interface Box extends Point {
  readonly width: number;
  readonly height: number;
}

/** A vertical or horizontal piece of a line. */
export interface Segment {
  readonly from: Point;
  readonly to: Point;
}

/** Say whether a segment passes through the inside of a box; its edge does not count. */
export function crosses(segment: Segment, box: Box): boolean {
  const left = Math.min(segment.from.x, segment.to.x);
  const right = Math.max(segment.from.x, segment.to.x);
  const top = Math.min(segment.from.y, segment.to.y);
  const bottom = Math.max(segment.from.y, segment.to.y);
  return right > box.x && left < box.x + box.width && bottom > box.y && top < box.y + box.height;
}

/** Say whether two boxes share an area. */
export function overlap(one: Box, other: Box): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, each) => sum + each, 0) / values.length;
}
