// What checks have found: the newest snapshot of each check task that the user may read.

import { ApiError, get, list } from "./api.js";

const OPERATOR = "LabelboxWindowsCheckOperator";
const XCOM_KEY = "labelbox_windows";
const DAY_MS = 86_400_000;
const REACHES = [8, 60, null]; // days to look back until there is a check; null is without bound
const MAX_TRIES = 4; // task instances of one check, newest first, until one has left a snapshot

// Task instances, not XComs, are listed: a list of XComs makes Airflow read the values of all of them.
async function checks(dagId) {
  const path = `dags/${dagId ? encodeURIComponent(dagId) : "~"}/dagRuns/~/taskInstances`;
  for (const days of REACHES) {
    const since = days && { run_after_gte: new Date(Date.now() - days * DAY_MS).toISOString() };
    const found = await list(path, "task_instances", { operator: OPERATOR, order_by: "-run_after", ...since });
    if (found.length) return perTask(found);
  }
  return [];
}

export function perTask(instances) {
  const tasks = new Map();
  for (const each of instances) {
    const task = JSON.stringify([each.dag_id, each.task_id, each.map_index]);
    tasks.set(task, [...(tasks.get(task) ?? []), each]);
  }
  return [...tasks.values()];
}

async function readOne({ dag_id: dagId, dag_run_id: runId, task_id: taskId, map_index: mapIndex }) {
  const path = ["dags", dagId, "dagRuns", runId, "taskInstances", taskId, "xcomEntries", XCOM_KEY];
  const answer = await get(path.map(encodeURIComponent).join("/"), { map_index: mapIndex, deserialize: false });
  const value = typeof answer.value === "string" ? JSON.parse(answer.value) : answer.value;
  return { dagId, runId, taskId, mapIndex, ...value };
}

// A check that is under way, or failed before it could look, has left none; then the one before it counts.
async function readNewest(instances) {
  for (const instance of instances.slice(0, MAX_TRIES)) {
    try {
      return await readOne(instance);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 404) throw error;
    }
  }
  return null;
}

// Newest checks first.
export async function readSnapshots(dagId) {
  const snapshots = (await Promise.all((await checks(dagId)).map(readNewest))).filter(Boolean);
  return snapshots.sort((one, other) => (other.checked_at ?? "").localeCompare(one.checked_at ?? ""));
}
