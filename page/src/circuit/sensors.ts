/** Letters of measured quantities, as formulas and instrument diagrams (ISA 5.1) use them. */

const LETTERS: Readonly<Record<string, string>> = {
  pressure: "p",
  flow: "Q",
  temperature: "T",
  vibration: "v",
  power: "P",
  efficiency: "η",
  speed: "n",
  velocity: "v",
  position: "s",
  torque: "M",
  force: "F",
  level: "L",
  current: "I",
  voltage: "U",
  control_signal: "u",
  particle_count: "N",
  water_content: "w",
  viscosity: "ν",
};

/** Return the letter of a kind of sensor; a kind of the user's own has its first one. */
export function sensorLetter(kind: string): string {
  return LETTERS[kind] ?? kind.charAt(0).toUpperCase();
}
