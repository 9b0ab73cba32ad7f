/** A made-up service for `npm run dev` and `npm run example`: the answers of the real one, invented. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { Connect, Plugin } from "vite";
import { Alarms } from "./alarms.ts";
import { overview, series, seriesCsv, signals } from "./answers.ts";
import { diagnose, makeFleet, WINDOW_MS, type Example } from "./fleet.ts";

const MACHINES = Number(process.env["EXAMPLE_MACHINES"] ?? 60);

/** Add the made-up service to the servers of Vite. */
export function exampleService(): Plugin {
  return {
    name: "example-service",
    configureServer: (server) => void server.middlewares.use(handler()),
    configurePreviewServer: (server) => void server.middlewares.use(handler()),
  };
}

function handler(): Connect.NextHandleFunction {
  const now = Date.now();
  const fleet = makeFleet(MACHINES, now);
  const alarms = new Alarms(fleet);
  return (request, response, next) => {
    const address = new URL(request.url ?? "/", "http://example");
    if (!address.pathname.startsWith("/v1/")) {
      next();
      return;
    }
    const parts = address.pathname.split("/").slice(2).map(decodeURIComponent);
    if (parts[0] === "events") stream(request, response, alarms);
    else if (request.method === "POST") void act(request, response, alarms, parts);
    else answer(response, answerOf(parts, address.searchParams, fleet, alarms));
  };
}

function answerOf(
  [topic, id, part]: readonly string[],
  query: URLSearchParams,
  fleet: ReadonlyMap<string, Example>,
  alarms: Alarms,
): unknown {
  if (topic === "overview") return overview(fleet, (each) => alarms.openOf(each), query);
  if (topic === "alarms") return id === undefined ? alarms.list(query) : alarms.find(id);
  const each = fleet.get(id ?? "");
  if (topic !== "equipment" || !each) return undefined;
  switch (part) {
    case undefined:
      return { machine: each.machine, diagnosis: null, findings: [], cannot_tell: [], signals: {} };
    case "diagnoses":
      return diagnoses(each, query);
    case "series": {
      const answered = series(each, query);
      return query.get("format") === "csv" ? seriesCsv(answered) : answered;
    }
    case "signals":
      return signals(each, query);
    default:
      return undefined;
  }
}

/** Windows that end after `from` and not after `to`, the newest first. */
function diagnoses(each: Example, query: URLSearchParams) {
  const limit = Number(query.get("limit") ?? 50);
  const to = Number(query.get("cursor") ?? Date.parse(query.get("to") ?? "")) || each.lastSeen;
  const from = Date.parse(query.get("from") ?? "") || 0;
  const found = [];
  let end = Math.floor(Math.min(to, each.lastSeen) / WINDOW_MS) * WINDOW_MS;
  for (; end > from && found.length < limit; end -= WINDOW_MS)
    found.push(diagnose(each, end - WINDOW_MS));
  return { diagnoses: found, next: end > from ? String(end) : null };
}

async function act(
  request: IncomingMessage,
  response: ServerResponse,
  alarms: Alarms,
  parts: readonly string[],
) {
  let text = "";
  for await (const piece of request) text += String(piece);
  answer(response, alarms.act(parts[1] ?? "", parts[2] ?? "", JSON.parse(text) as object));
}

function answer(response: ServerResponse, content: unknown): void {
  if (typeof content === "string") {
    response.setHeader("content-type", "text/csv").end(content);
    return;
  }
  response.statusCode = content === undefined ? 404 : 200;
  response.setHeader(
    "content-type",
    content === undefined ? "application/problem+json" : "application/json",
  );
  response.end(
    JSON.stringify(
      content ?? { title: "Not Found", status: 404, detail: "There is no such thing." },
    ),
  );
}

/** Send an alarm every ten seconds. */
function stream(request: IncomingMessage, response: ServerResponse, alarms: Alarms): void {
  response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
  const send = () =>
    response.write(`event: alarm\ndata: ${JSON.stringify(alarms.find("1") ?? {})}\n\n`);
  send();
  const timer = setInterval(send, 10_000);
  request.on("close", () => clearInterval(timer));
}
