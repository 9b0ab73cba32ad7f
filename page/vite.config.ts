import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { exampleService } from "./dev/service.ts";

/** The folder of the package from which the service serves the page. */
const BUILD = fileURLToPath(new URL("../src/hydrascope/serving/page", import.meta.url));

export default defineConfig({
  base: "./",
  plugins: [exampleService()],
  test: { testTimeout: 60_000 }, // other tests may have the processor
  build: {
    outDir: process.env["PAGE_BUILD"] ?? BUILD,
    emptyOutDir: true,
    modulePreload: false,
    // Fixed names: the service's ETag says when a file has changed.
    rolldownOptions: {
      output: { entryFileNames: "page.js", assetFileNames: "page[extname]" },
    },
  },
});
