import { expect, test } from "vitest";
import { readEvents } from "../src/api/events";

async function* stream(...pieces: string[]) {
  yield* pieces;
}

test("events are read across the borders of pieces, and comments are left out", async () => {
  const pieces = stream(
    ": hello\n\nevent: al",
    'arm\ndata: {"a":\ndata: 1}\n',
    "\nda",
    "ta:x\r\n\r\ndata: cut",
  );
  const events = [];
  for await (const event of readEvents(pieces)) events.push(event);
  expect(events).toEqual([
    { name: "alarm", data: '{"a":\n1}' },
    { name: "message", data: "x" },
  ]);
});
