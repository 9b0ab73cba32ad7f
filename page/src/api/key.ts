/** The API key, kept until the browser's tab is closed. */

const NAME = "hydrascope-key";

export function readKey(): string {
  return sessionStorage.getItem(NAME) ?? "";
}

export function keepKey(key: string): void {
  if (key) sessionStorage.setItem(NAME, key);
  else sessionStorage.removeItem(NAME);
}

/** Return the headers that show the key; none without one. */
export function keyHeaders(): Record<string, string> {
  const key = readKey();
  return key ? { authorization: `Bearer ${key}` } : {};
}
