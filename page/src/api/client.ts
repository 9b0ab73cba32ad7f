/** Requests to the service, by paths relative to the page, so that it may live under any prefix. */

import { keyHeaders } from "./key";

/** A refusal of the service, with its words (problem+JSON). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }

  /** Whether the service has no such thing, as without a database. */
  get isAbsent(): boolean {
    return this.status === 404;
  }
}

/** Values of a query; those that are empty are left out. */
export type Query = Readonly<Record<string, string | number | null | undefined>>;

export function withQuery(path: string, query: Query): string {
  const given = Object.entries(query).filter(
    ([, value]) => value !== null && value !== undefined && value !== "",
  );
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** Return the address of a machine, or of what belongs to it. */
export function machinePath(equipmentId: string, rest = ""): string {
  return `v1/equipment/${encodeURIComponent(equipmentId)}${rest}`;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await request(path, signal ? { signal } : {});
  return (await response.json()) as T;
}

export async function post<T>(path: string, body: object): Promise<T> {
  const response = await request(path, {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "content-type": "application/json" },
  });
  return (await response.json()) as T;
}

/** Save what the service answers as a file. */
export async function download(path: string, name: string): Promise<void> {
  const response = await request(path, {});
  const address = URL.createObjectURL(await response.blob());
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  URL.revokeObjectURL(address);
}

/** Send a request with the key; raise a `Refusal` if it is not granted. */
export async function request(path: string, options: RequestInit): Promise<Response> {
  const headers = { ...keyHeaders(), ...(options.headers as Record<string, string> | undefined) };
  const response = await fetch(path, { ...options, headers });
  if (!response.ok) throw new Refusal(response.status, await reasonOf(response));
  return response;
}

async function reasonOf(response: Response): Promise<string> {
  if (response.status === 401) return "This service asks for an API key.";
  const isJson = response.headers.get("content-type")?.includes("json") ?? false;
  const problem = isJson ? ((await response.json()) as { detail?: string; title?: string }) : {};
  return problem.detail ?? problem.title ?? `The service answered with status ${response.status}.`;
}
