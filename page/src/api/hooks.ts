/** Hooks that load answers of the service and keep them up to date. */

import { useEffect, useState } from "preact/hooks";
import { get, machinePath, Refusal } from "./client";
import { newsDesk, type Connection, type News } from "./live";

export interface Loaded<T> {
  readonly value: T | null;
  readonly error: Error | null;
  /** Whether the service has no such thing, as without a database. */
  readonly absent: boolean;
  readonly reload: () => void;
}

/** Load a path, and again with news of it; null loads nothing. The last value stays until the next. */
export function useLoaded<T>(path: string | null): Loaded<T> {
  const [state, setState] = useState<{ path: string | null; value: T | null; error: Error | null }>(
    {
      path: null,
      value: null,
      error: null,
    },
  );
  const [round, setRound] = useState(0);
  const reload = () => setRound((each) => each + 1);
  const error = path === null ? null : state.error;
  const absent = error instanceof Refusal && error.isAbsent;
  useEffect(() => {
    if (path === null || absent) return;
    return newsDesk.listen((news) => {
      if (concerns(path, news)) reload();
    });
  }, [path, absent]);
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    get<T>(path, abort.signal).then(
      (value) => {
        newsDesk.report(true);
        setState({ path, value, error: null });
      },
      (error: Error) => {
        if (abort.signal.aborted) return;
        newsDesk.report(error instanceof Refusal);
        setState((before) => ({ path, value: before.path === path ? before.value : null, error }));
      },
    );
    return () => abort.abort();
  }, [path, round]);
  return { value: path === null ? null : state.value, error, absent, reload };
}

/** Say whether there may be news of what a path shows. */
function concerns(path: string, { machines }: News): boolean {
  if (machines === null) return true;
  if (!path.startsWith("v1/equipment/")) return machines.size > 0;
  const address = `${path.split("?", 1)[0]}/`;
  return [...machines].some((each) => address.startsWith(machinePath(each, "/")));
}

/** Return how news come at present. */
export function useConnection(): Connection {
  const [connection, setConnection] = useState<Connection>("polling");
  useEffect(() => newsDesk.listen((news) => setConnection(news.connection)), []);
  return connection;
}

/** Return the time, which moves on every half minute. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), 30_000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

/** Return a value that follows another one after a pause, so that each letter asks nothing. */
export function useSettled<T>(value: T, milliseconds = 250): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(value), milliseconds);
    return () => window.clearTimeout(timer);
  }, [value, milliseconds]);
  return settled;
}
