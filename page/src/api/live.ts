/** News of the service: by server-sent events, and by asking again where these fail. */

import { Refusal, request } from "./client";
import { readEvents, type ServerEvent } from "./events";

export type Connection = "live" | "polling" | "lost";

/** What there may be news of. */
export interface News {
  readonly connection: Connection;
  /** Ids of machines; null for all of them. */
  readonly machines: ReadonlySet<string> | null;
}

type Listener = (news: News) => void;

const POLL_MS = 10_000;
/** A thousand machines send many diagnoses; an alarm is shown at once. */
const GATHER_MS = { alarm: 300, diagnosis: 5_000 };

/** Tells its listeners when there may be something new; it begins with the first of them. */
class NewsDesk {
  private readonly listeners = new Set<Listener>();
  private connection: Connection = "polling";
  private machines: Set<string> | null = new Set();
  private due = Infinity;
  private timer: number | undefined;
  private stop: AbortController | undefined;

  listen(listener: Listener): () => void {
    this.listeners.add(listener);
    if (!this.stop) this.begin();
    return () => this.listeners.delete(listener);
  }

  /** Begin anew, as with another key. */
  restart(): void {
    this.open();
    this.tell(null, 0);
  }

  /** Record whether the service answered at all. */
  report(reached: boolean): void {
    if (!reached) this.change("lost");
    else if (this.connection === "lost") this.change("polling");
  }

  /** A page that nobody sees holds no connection: browsers open only six to a service. */
  private begin(): void {
    this.open();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.stop?.abort();
      else this.restart();
    });
  }

  private open(): void {
    this.stop?.abort();
    this.stop = new AbortController();
    void this.follow(this.stop.signal);
  }

  /** Read events, and begin again where they end; a service without any is asked again and again. */
  private async follow(signal: AbortSignal): Promise<void> {
    for (let hasEvents = true; !signal.aborted;) {
      try {
        if (hasEvents) await this.readStream(signal);
      } catch (error) {
        if (signal.aborted) return;
        hasEvents = !(error instanceof Refusal && error.isAbsent);
        this.change(error instanceof Refusal ? "polling" : "lost");
      }
      await pause(POLL_MS, signal);
      this.tell(null, 0);
    }
  }

  private async readStream(signal: AbortSignal): Promise<void> {
    const headers = { accept: "text/event-stream" };
    const response = await request("v1/events", { signal, headers });
    if (!response.body) return;
    this.change("live");
    const text = response.body.pipeThrough(new TextDecoderStream());
    for await (const event of readEvents(text)) this.take(event);
    this.change("polling");
  }

  private take({ name, data }: ServerEvent): void {
    const { equipment_id } = JSON.parse(data) as { equipment_id?: string };
    const machines = equipment_id === undefined ? null : [equipment_id];
    this.tell(machines, name === "alarm" ? GATHER_MS.alarm : GATHER_MS.diagnosis);
  }

  private change(connection: Connection): void {
    if (this.connection === connection) return;
    this.connection = connection;
    this.tell([], 0);
  }

  /** Tell the listeners of some machines (null: of all) within some time, with what else there is. */
  private tell(machines: readonly string[] | null, withinMs: number): void {
    if (machines === null) this.machines = null;
    else machines.forEach((each) => this.machines?.add(each));
    const due = performance.now() + withinMs;
    if (due >= this.due) return;
    this.due = due;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => {
      const told = { connection: this.connection, machines: this.machines };
      this.machines = new Set();
      this.due = Infinity;
      this.listeners.forEach((listener) => listener(told));
    }, withinMs);
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

export const newsDesk = new NewsDesk();
