/** The frame around all views. */

import { useEffect } from "preact/hooks";
import { AlarmsView } from "./alarms/AlarmsView";
import { AlarmView } from "./alarms/AlarmView";
import { useConnection } from "./api/hooks";
import { FleetView } from "./fleet/FleetView";
import { MachineView } from "./machine/MachineView";
import { KeyField } from "./parts/KeyField";
import { useRoute, type Route } from "./route";
import { zoneName } from "./text/time";

const NEWS = {
  live: "Live",
  polling: "Updated every 10 s",
  lost: "The service cannot be reached",
};

export function App() {
  const route = useRoute();
  const connection = useConnection();
  const [view = "machines", id] = route.parts;
  useEffect(() => {
    document.title = [id, view === "alarms" ? "Alarms" : "Machines", "Hydrascope"]
      .filter(Boolean)
      .join(" – ");
    scrollTo(0, 0);
  }, [view, id]);
  return (
    <>
      <button class="skip" type="button" onClick={focusContent}>
        Skip to the content
      </button>
      <header class="top">
        <a class="brand" href="#/">
          <img src="icon.svg" alt="" width="24" height="24" /> Hydrascope
        </a>
        <nav aria-label="Views">
          <a href="#/" aria-current={view === "machines" ? "page" : undefined}>
            Machines
          </a>
          <a href="#/alarms" aria-current={view === "alarms" ? "page" : undefined}>
            Alarms
          </a>
        </nav>
        <KeyField />
      </header>
      <View view={view} id={id} route={route} />
      <footer>
        <span class={`news is-${connection}`} role="status">
          {NEWS[connection]}
        </span>
        <span>Times: {zoneName()}</span>
      </footer>
    </>
  );
}

function focusContent(): void {
  const content = document.querySelector("main");
  content?.setAttribute("tabindex", "-1");
  content?.focus();
}

function View({ view, id, route }: { view: string; id: string | undefined; route: Route }) {
  if (view === "machines") {
    return id === undefined ? (
      <FleetView route={route} />
    ) : (
      <MachineView key={id} route={route} equipmentId={id} />
    );
  }
  if (view === "alarms")
    return id === undefined ? <AlarmsView route={route} /> : <AlarmView key={id} alarmId={id} />;
  return (
    <main>
      <h1>There is no such page</h1>
      <a href="#/">All machines</a>
    </main>
  );
}
