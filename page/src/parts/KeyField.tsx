/** The field for an API key, which stays until the tab is closed. */

import { useState } from "preact/hooks";
import { keepKey, readKey } from "../api/key";
import { newsDesk } from "../api/live";

export function KeyField() {
  const [key, setKey] = useState(readKey);
  const [kept, setKept] = useState(key !== "");
  const use = (event: Event) => {
    event.preventDefault();
    keepKey(key);
    setKept(key !== "");
    newsDesk.restart();
  };
  return (
    <form class="key" onSubmit={use}>
      <label>
        <span>API key</span>
        <input
          type="password"
          autocomplete="off"
          size={12}
          value={key}
          onInput={(event) => setKey(event.currentTarget.value)}
        />
      </label>
      <button type="submit">{kept ? "Change" : "Use"}</button>
    </form>
  );
}
