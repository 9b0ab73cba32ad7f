/** Hooks that load answers of the service and keep them up to date. */

import { useEffect, useState } from "preact/hooks";
import { get, Refusal } from "./client";
import { news, type Connection } from "./live";

export interface Loaded<T> {
  readonly value: T | null;
  readonly error: Error | null;
  /** Whether the service has no such thing, as without a database. */
  readonly absent: boolean;
  readonly reload: () => void;
}

/** Load a path, again with all news; null loads nothing. The last value stays until the next. */
export function useLoaded<T>(path: string | null): Loaded<T> {
  const [state, setState] = useState<{ path: string | null; value: T | null; error: Error | null }>({
    path: null,
    value: null,
    error: null,
  });
  const [round, setRound] = useState(0);
  const reload = () => setRound((each) => each + 1);
  useEffect(() => news.listen(reload), []);
  useEffect(() => {
    if (path === null) return;
    const abort = new AbortController();
    get<T>(path, abort.signal).then(
      (value) => {
        news.report(true);
        setState({ path, value, error: null });
      },
      (error: Error) => {
        if (abort.signal.aborted) return;
        news.report(error instanceof Refusal);
        setState((before) => ({ path, value: before.path === path ? before.value : null, error }));
      },
    );
    return () => abort.abort();
  }, [path, round]);
  const error = path === null ? null : state.error;
  return {
    value: path === null ? null : state.value,
    error,
    absent: error instanceof Refusal && error.isAbsent,
    reload,
  };
}

/** Return how news come at present. */
export function useConnection(): Connection {
  const [connection, setConnection] = useState<Connection>("polling");
  useEffect(() => news.listen(setConnection), []);
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
