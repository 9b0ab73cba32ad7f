/** The windows of a period, newest first: what the charts show, as a table. */

import { machinePath, withQuery } from "../api/client";
import { useLoaded } from "../api/hooks";
import type { Diagnosis, DiagnosisPage } from "../api/types";
import { HealthText } from "../parts/Health";
import { routeTo, type Route } from "../route";
import { dateTime } from "../text/time";
import { displayName, findingText, isFinding } from "../text/words";
import { periodOf } from "./period";
import { machineState } from "./states";

const PAGE = 15;

interface Props {
  readonly route: Route;
  readonly equipmentId: string;
  readonly newest: Diagnosis | null;
}

export function Windows({ route, equipmentId, newest }: Props) {
  const period = newest && periodOf(route, Date.parse(newest.window.end));
  const path =
    period &&
    withQuery(machinePath(equipmentId, "/diagnoses"), {
      from: new Date(period.from).toISOString(),
      to: new Date(period.to).toISOString(),
      limit: PAGE,
      cursor: route.query["cursor"] ?? null,
    });
  const { value } = useLoaded<DiagnosisPage>(path);
  if (!value?.diagnoses.length) return null;
  const to = (changes: Readonly<Record<string, string | null>>) =>
    routeTo(route.parts, { ...route.query, ...changes });
  return (
    <section aria-labelledby="windows">
      <h2 id="windows">Windows</h2>
      <table class="cards">
        <caption class="hidden">Diagnosed windows, newest first</caption>
        <thead>
          <tr>
            <th scope="col">Start</th>
            <th scope="col">Health</th>
            <th scope="col">Found</th>
          </tr>
        </thead>
        <tbody>
          {value.diagnoses.map((each) => (
            <tr key={each.window.start}>
              <th scope="row">
                <a href={to({ window: each.window.start })}>{dateTime(each.window.start, true)}</a>
              </th>
              <td data-name="Health">
                <HealthText {...machineState(each)} />
              </td>
              <td data-name="Found">{foundIn(each)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <nav class="pager" aria-label="Older and newer windows">
        {route.query["cursor"] && <a href={to({ cursor: null })}>Newest</a>}
        {value.next && <a href={to({ cursor: value.next })}>Older</a>}
      </nav>
    </section>
  );
}

function foundIn(diagnosis: Diagnosis): string {
  const found = Object.entries(diagnosis.components).flatMap(([id, heads]) =>
    Object.entries(heads).flatMap(([head, finding]) =>
      isFinding(finding) ? [`${displayName(id)}: ${findingText(head, finding)}`] : [],
    ),
  );
  return found.length ? [...new Set(found)].join("; ") : "Nothing";
}
