/** What a person can do with an alarm. */

import { useState } from "preact/hooks";
import { post } from "../api/client";
import type { Alarm, Verdict } from "../api/types";
import { VERDICT_WORDS } from "../text/words";
import { alarmTitle } from "./AlarmTable";

type Action = "acknowledge" | "close" | "reopen" | "comment" | "verdict";

interface Props {
  readonly alarm: Alarm;
  readonly onDone: () => void;
  /** Acknowledge alone, as beside other things. */
  readonly brief?: boolean;
}

export function AlarmActions({ alarm, onDone, brief = false }: Props) {
  const [note, setNote] = useState("");
  const [verdict, setVerdict] = useState<Verdict>("confirmed");
  const [problem, setProblem] = useState<string | null>(null);
  const act = async (action: Action) => {
    const judges = action === "close" || action === "verdict";
    const body = { ...(note && { note }), ...(judges && { verdict }) };
    try {
      await post(`v1/alarms/${encodeURIComponent(alarm.alarm_id)}/${action}`, body);
      setNote("");
      setProblem(null);
      onDone();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  const button = (action: Action, words: string, disabled = false) => (
    <button type="button" disabled={disabled} onClick={() => void act(action)}>
      {words}
    </button>
  );
  return (
    <fieldset class="actions">
      <legend>{brief ? `Acknowledge “${alarmTitle(alarm)}”` : "Act on this alarm"}</legend>
      <label>
        Note
        <textarea rows={2} value={note} onInput={(event) => setNote(event.currentTarget.value)} />
      </label>
      <div class="buttons">
        {alarm.state === "open" && button("acknowledge", "Acknowledge")}
        {!brief && button("comment", "Add comment", !note)}
        {!brief && alarm.state === "closed" && button("reopen", "Reopen")}
        {!brief && (
          <>
            <label class="inline">
              Verdict{" "}
              <select
                value={verdict}
                onChange={(event) => setVerdict(event.currentTarget.value as Verdict)}
              >
                {Object.entries(VERDICT_WORDS).map(([name, words]) => (
                  <option key={name} value={name}>
                    {words}
                  </option>
                ))}
              </select>
            </label>
            {button("verdict", "Give verdict")}
            {alarm.state !== "closed" && button("close", "Give verdict and close")}
          </>
        )}
      </div>
      {problem !== null && (
        <p class="notice" role="alert">
          {problem}
        </p>
      )}
    </fieldset>
  );
}
