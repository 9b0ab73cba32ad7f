/** What the heads found in one window. */

import type { Diagnosis, Finding } from "../api/types";
import { HealthMark } from "../parts/Health";
import {
  displayName,
  findingText,
  healthState,
  isFinding,
  isHealth,
  mostToBlame,
  percent,
  quantity,
} from "../text/words";

interface Found {
  /** Empty for the machine. */
  readonly component: string;
  readonly head: string;
  readonly finding: Finding;
}

export function FindingsTable({
  diagnosis,
  component,
}: {
  diagnosis: Diagnosis | null;
  component: string | null;
}) {
  const found = diagnosis ? findingsOf(diagnosis, component) : [];
  const important = found.filter(({ finding }) => isFinding(finding));
  const doubtful = found.filter(({ finding }) => finding.reliable === false);
  const others = found.filter((each) => !important.includes(each) && !doubtful.includes(each));
  return (
    <section aria-labelledby="findings">
      <h2 id="findings">Findings</h2>
      {!diagnosis && <p class="quiet">No window was diagnosed yet.</p>}
      {diagnosis?.fitness?.unlike && (
        <p class="notice">This window is unlike all that the model has learned from.</p>
      )}
      {diagnosis && !important.length && !diagnosis.normality?.blame && <p>Nothing found.</p>}
      <Blame normality={diagnosis?.normality ?? null} component={component} />
      <Rows found={important} label="Findings" />
      {doubtful.length > 0 && (
        <>
          <h3>Cannot tell</h3>
          <Rows found={doubtful} label="Answers that are not reliable" />
        </>
      )}
      {others.length > 0 && (
        <details>
          <summary>All other answers ({others.length})</summary>
          <Rows found={others} label="All other answers" />
        </details>
      )}
    </section>
  );
}

/** Say how far the machine is from normal, and which components are most probably to blame. */
function Blame({
  normality,
  component,
}: {
  normality: Diagnosis["normality"];
  component: string | null;
}) {
  if (!normality?.blame) return null;
  const named = mostToBlame(normality.blame).filter(
    ([id]) => component === null || id === component,
  );
  if (!named.length) return null;
  return (
    <table class="cards blame">
      <caption>
        {quantity(normality.machine ?? 0, "")} times as far from normal as the threshold
      </caption>
      <thead>
        <tr>
          <th scope="col">Most probably to blame</th>
          <th scope="col">Probability, if one is faulty</th>
        </tr>
      </thead>
      <tbody>
        {named.map(([id, probability]) => (
          <tr key={id} data-blamed={id}>
            <th scope="row">{displayName(id)}</th>
            <td data-name="Probability, if one is faulty">{percent(probability)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Return the findings of one component, or of the machine and all of them. */
function findingsOf(diagnosis: Diagnosis, component: string | null): Found[] {
  const all = { ...(component === null ? { "": diagnosis.machine } : {}), ...diagnosis.components };
  return Object.entries(all)
    .filter(([id]) => component === null || id === component)
    .flatMap(([id, heads]) =>
      Object.entries(heads).map(([head, finding]) => ({ component: id, head, finding })),
    );
}

function Rows({ found, label }: { found: readonly Found[]; label: string }) {
  if (!found.length) return null;
  return (
    <table class="cards findings">
      <caption class="hidden">{label}</caption>
      <thead>
        <tr>
          <th scope="col">Part</th>
          <th scope="col">Question</th>
          <th scope="col">Answer</th>
          <th scope="col">Certainty</th>
        </tr>
      </thead>
      <tbody>
        {found.map(({ component, head, finding }) => (
          <tr key={`${component} ${head}`} data-finding={`${component}/${head}`}>
            <th scope="row">{component ? displayName(component) : "Machine"}</th>
            <td data-name="Question">{displayName(head)}</td>
            <td data-name="Answer">
              <div>
                <HealthMark state={markOf(finding)} /> {findingText(head, finding)}
                {finding.reasons?.map((reason) => (
                  <small key={reason}>{reason}</small>
                ))}
              </div>
            </td>
            <td data-name="Certainty">{certainty(finding)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** A flag of several is a fault; a single one, such as "stable", may be a good sign. */
function markOf(finding: Finding) {
  if (finding.kind === "multi_label" && finding.flags?.length) return "faulty";
  return healthState(finding.health, finding.reliable === false);
}

/** Say how certain an answer is: the probabilities behind it, its interval, or whether it is right. */
function certainty(finding: Finding): string {
  const named = finding.flags?.length
    ? finding.flags
    : finding.outcome === null
      ? []
      : [finding.outcome];
  const shown = named.flatMap((name) => {
    const probability = finding.probabilities?.[name];
    return probability === undefined ? [] : [percent(probability)];
  });
  if (shown.length) return shown.join(", ");
  if (finding.interval) {
    const [low, high] = finding.interval;
    if (isHealth(finding)) return `${percent(low)} to ${percent(high)}`;
    return `${quantity(low, "")} to ${quantity(high, finding.unit ?? "")}`;
  }
  return finding.right === null ? "" : `${percent(finding.right)} likely to be right`;
}
