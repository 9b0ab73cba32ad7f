/** The alarms of one machine that are not closed. */

import { withQuery } from "../api/client";
import { useLoaded, useNow } from "../api/hooks";
import type { AlarmPage } from "../api/types";
import { NeedsDatabase, Notice } from "../parts/Notice";
import { routeTo } from "../route";
import { AlarmActions } from "./AlarmActions";
import { AlarmTable } from "./AlarmTable";

export function MachineAlarms({
  equipmentId,
  component,
}: {
  equipmentId: string;
  component: string | null;
}) {
  const loaded = useLoaded<AlarmPage>(
    withQuery("v1/alarms", { equipment_id: equipmentId, limit: 100 }),
  );
  const now = useNow();
  const alarms = (loaded.value?.alarms ?? []).filter(
    (each) => each.state !== "closed" && (component === null || each.component_id === component),
  );
  const next = alarms.find((each) => each.state === "open");
  return (
    <section aria-labelledby="alarms">
      <h2 id="alarms">Alarms</h2>
      {loaded.absent ? <NeedsDatabase what="Alarms" /> : <Notice loaded={loaded} what="alarms" />}
      {loaded.value && !alarms.length && <p>No open alarms.</p>}
      {alarms.length > 0 && <AlarmTable alarms={alarms} ofMachine now={now} />}
      {next && <AlarmActions alarm={next} onDone={loaded.reload} brief />}
      {loaded.value && (
        <p>
          <a href={routeTo(["alarms"], { equipment_id: equipmentId, state: "closed" })}>
            Closed alarms of this machine
          </a>
        </p>
      )}
    </section>
  );
}
