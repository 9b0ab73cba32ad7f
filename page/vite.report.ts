/** Builds what a report of an evaluation holds: one script and one style sheet. */

import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

/** The folder of the package from which an evaluation takes them. */
const BUILD = fileURLToPath(new URL("../src/hydrascope/assets/report/built", import.meta.url));

export default defineConfig({
  publicDir: false,
  build: {
    outDir: process.env["REPORT_BUILD"] ?? BUILD,
    emptyOutDir: true,
    lib: {
      entry: fileURLToPath(new URL("src/report.tsx", import.meta.url)),
      formats: ["iife"],
      name: "report",
      fileName: () => "report.js",
      cssFileName: "report",
    },
  },
});
