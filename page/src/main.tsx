/** Show the page. */

import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import { App } from "./app";
import "./styles/base.css";
import "./styles/circuit.css";
import "./styles/views.css";

const root = document.getElementById("app");
if (root) render(<App />, root);
