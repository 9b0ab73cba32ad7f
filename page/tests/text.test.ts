import { expect, test } from "vitest";
import { wrap } from "../src/circuit/sizes";
import { parseRoute, routeTo } from "../src/route";
import { ago, duration, isSilent } from "../src/text/time";
import { displayName, healthState, mostToBlame, quantity } from "../src/text/words";

const NOW = Date.parse("2026-03-01T12:00:00Z");

test.each([
  [0, "0 s"],
  [59_999, "1 min"],
  [45_000, "45 s"],
  [3_599_000, "59 min"],
  [5 * 3_600_000, "5 h"],
  [400 * 86_400_000, "400 d"],
])("%d ms are %s", (milliseconds, words) => {
  expect(duration(milliseconds)).toBe(words);
});

test("what happened within ten seconds is just now", () => {
  expect(ago("2026-03-01T11:59:55Z", NOW)).toBe("just now");
  expect(ago("2026-03-01T13:57:00+02:00", NOW)).toBe("3 min ago");
});

test("a machine is silent after a quarter of an hour, but not if it was never seen", () => {
  expect(isSilent("2026-03-01T11:44:00Z", NOW)).toBe(true);
  expect(isSilent("2026-03-01T11:46:00Z", NOW)).toBe(false);
  expect(isSilent(null, NOW)).toBe(false);
});

test("the three components that are most probably to blame are named, the first one first", () => {
  const named = mostToBlame({ tank: 0.05, pump: 0.6, valve: 0.15, cooler: 0.2 });
  expect(named).toEqual([
    ["pump", 0.6],
    ["cooler", 0.2],
    ["valve", 0.15],
  ]);
});

test("a health without a number is either not reliable or not judged", () => {
  expect([0.8, 0.79, 0.5, 0.49].map((health) => healthState(health, true))).toEqual([
    "sound",
    "degraded",
    "degraded",
    "faulty",
  ]);
  expect(healthState(null, true)).toBe("unknown");
  expect(healthState(undefined, false)).toBe("unjudged");
});

test("identifiers and numbers read as people write them", () => {
  expect(displayName("main_pump")).toBe("Main pump");
  expect(displayName("PS1")).toBe("PS1");
  expect(quantity(151.23456, "bar")).toBe("151 bar");
  expect(quantity(0.00012345, "degC")).toBe("0.000123 °C");
});

test("long names take two lines, and a longer rest is cut", () => {
  expect(wrap("Return filter", 13)).toEqual(["Return filter"]);
  expect(wrap("Cooler inlet valve", 13)).toEqual(["Cooler inlet", "valve"]);
  expect(wrap("Left hand boom cylinder lock valve", 13)).toEqual(["Left hand", "boom cylinder…"]);
});

test("an address keeps odd names of machines and drops what is empty", () => {
  const address = routeTo(["machines", "press/7 ü"], {
    component: "main_pump",
    window: null,
    range: "",
  });
  expect(address).toBe("#/machines/press%2F7%20%C3%BC?component=main_pump");
  expect(parseRoute(address)).toEqual({
    parts: ["machines", "press/7 ü"],
    query: { component: "main_pump" },
  });
});
