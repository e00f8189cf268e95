// The entry: Airflow imports this file and shows the component that it leaves under the app's name.

// All modules, so that a browser asks for them at once instead of one level after the other.
import "./api.js";
import "./calendar.js";
import "./details.js";
import "./landings.js";
import "./places.js";
import "./runs.js";
import "./snapshots.js";
import "./sources.js";
import "./strip.js";
import "./style.js";
import "./text.js";
import "./windows.js";
import { WindowsPage } from "./app.js";

globalThis["Labelbox windows"] = WindowsPage;
globalThis.AirflowPlugin = WindowsPage;
