/** Machines of the files in the package, as the service would answer them. */

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { Component, Equipment, Line, Machine, Sensor } from "../src/api/types.ts";

const ASSETS = new URL("../../src/hydrascope/assets/", import.meta.url);
/** The rig and the four simulated kinds. */
export const FILES = {
  zema: "zema/machine.yaml",
  excavator: "fleet/excavator/machine.yaml",
  injection_moulding: "fleet/injection_moulding/machine.yaml",
  machining_centre: "fleet/machining_centre/machine.yaml",
  robot: "fleet/robot/machine.yaml",
} as const;
export type Kind = keyof typeof FILES;

type SensorInFile = Pick<Sensor, "id" | "kind" | "unit"> & Partial<Sensor>;

interface MachineFile {
  equipment: Partial<Equipment>;
  topology: {
    id: string;
    components: (Pick<Component, "id" | "kind"> &
      Partial<Omit<Component, "sensors">> & { sensors?: SensorInFile[] })[];
    edges: Line[];
  };
}

/** Read a machine file; what it leaves out has the service's defaults. */
export function readMachine(kind: Kind): Machine {
  const text = readFileSync(fileURLToPath(new URL(FILES[kind], ASSETS)), "utf-8");
  const { equipment, topology } = parse(text) as MachineFile;
  const nothing = { manufacturer: null, model: null, serial_number: null, location: null };
  return {
    equipment: { equipment_id: kind, name: kind, ...nothing, ...equipment },
    topology: {
      ...topology,
      components: topology.components.map((each) => ({
        name: "",
        nominal: {},
        ...each,
        sensors: (each.sensors ?? []).map((sensor) => ({
          position: null,
          description: "",
          ...sensor,
        })),
      })),
    },
  };
}
