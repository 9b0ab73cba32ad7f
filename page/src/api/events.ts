/** Server-sent events, read from a response: `EventSource` itself cannot send an API key. */

export interface ServerEvent {
  readonly name: string;
  readonly data: string;
}

/** Yield the events of a stream of text; a blank line ends each (WHATWG HTML, section 9.2). */
export async function* readEvents(pieces: AsyncIterable<string>): AsyncGenerator<ServerEvent> {
  let text = "";
  for await (const piece of pieces) {
    text = (text + piece).replaceAll("\r\n", "\n");
    const blocks = text.split("\n\n");
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const lines = block.split("\n");
      const valuesOf = (field: string) =>
        lines
          .filter((line) => line.startsWith(`${field}:`))
          .map((line) => line.slice(field.length + 1).replace(/^ /, ""));
      const data = valuesOf("data");
      if (data.length) yield { name: valuesOf("event").at(-1) ?? "message", data: data.join("\n") };
    }
  }
}
