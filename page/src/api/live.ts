/** News of the service: by server-sent events, and by asking again where these fail. */

import { request } from "./client";

export type Connection = "live" | "polling" | "lost";
type Listener = (connection: Connection) => void;

const POLL_MS = 10_000;
/** Many events in a moment are one piece of news. */
const GATHER_MS = 500;

/** Tells its listeners when there may be something new; it starts with the first of them. */
class News {
  private readonly listeners = new Set<Listener>();
  private connection: Connection = "polling";
  private pending: number | undefined;
  private stop: AbortController | undefined;

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    if (!this.stop) this.begin();
    return () => this.listeners.delete(listener);
  }

  /** A page that nobody sees holds no connection: browsers open only six to a service. */
  private begin(): void {
    this.restart();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.stop?.abort();
      else this.restart();
    });
  }

  /** Begin anew, as with another key. */
  restart(): void {
    this.stop?.abort();
    this.stop = new AbortController();
    void this.follow(this.stop.signal);
    this.tell();
  }

  /** Record whether the service answered at all. */
  report(reached: boolean): void {
    if (!reached) this.change("lost");
    else if (this.connection === "lost") this.change("polling");
  }

  private async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.readEvents(signal);
      } catch (error) {
        if (signal.aborted) return;
        this.change(error instanceof TypeError ? "lost" : "polling");
      }
      await pause(POLL_MS, signal);
      this.tell();
    }
  }

  /** Read the stream until it ends; each blank line ends an event. */
  private async readEvents(signal: AbortSignal): Promise<void> {
    const headers = { accept: "text/event-stream" };
    const response = await request("v1/events", { signal, headers });
    if (!response.body) return;
    this.change("live");
    const text = response.body.pipeThrough(new TextDecoderStream());
    for await (const piece of text) if (/^(event|data):/m.test(piece)) this.tell();
    this.change("polling");
  }

  private change(connection: Connection): void {
    if (this.connection === connection) return;
    this.connection = connection;
    this.tell();
  }

  private tell(): void {
    this.pending ??= window.setTimeout(() => {
      this.pending = undefined;
      this.listeners.forEach((listener) => listener(this.connection));
    }, GATHER_MS);
  }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      window.clearTimeout(timer);
      resolve();
    });
  });
}

export const news = new News();
