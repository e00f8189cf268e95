// What the asset events of landings tell, where DAGs declare outlets: which DAG lands a source, which run a window.

import { list } from "./api.js";

const MAX_EVENTS = 300;

const seconds = (iso) => Math.round(Date.parse(iso) / 1000);

// What a user may not read is as good as absent.
export const readable = (request, otherwise) => request.catch(() => otherwise);

export const sameSource = (one, other) => one.source === other.source && one.id === other.id;

// A prefix as it is compared: checks write a directory as a path, landings as an address.
export const plainPrefix = (prefix) => (prefix ?? "").replace(/^file:\/\//, "").replace(/\/+$/, "");

const MANIFEST = /^(.*)\/manifests\/source=([^/]+)\/id=([^/]+)\/[^/]+$/;

function landing({ extra, source_dag_id: dagId, source_run_id: runId }) {
  const [manifest, prefix, source, id] = MANIFEST.exec(extra?.manifest_uri) ?? [];
  if (!dagId || !manifest) return null;
  const window = extra.window && { start: seconds(extra.window.start), end: seconds(extra.window.end) };
  return { dagId, runId, source: { source, id }, window, prefix: plainPrefix(prefix), manifest };
}

const events = (query) =>
  readable(
    list("assets/events", "asset_events", { order_by: "-timestamp", ...query }, (items) => items.length >= MAX_EVENTS),
    [],
  );

// The newest landings, those of one DAG if one is named, newest first.
export async function recentLandings(dagId) {
  return (await events(dagId ? { source_dag_id: dagId } : {})).map(landing).filter(Boolean);
}

// The landings of a source, also those of long ago where the asset is the source's own, which an AssetAlias makes.
export async function landingsOf(prefix, source) {
  const uri = `${plainPrefix(prefix)}/data/source=${source.source}/id=${source.id}`;
  const assets = await readable(list("assets", "assets", { uri_pattern: uri }), []);
  const asset = assets.find((each) => plainPrefix(each.uri) === uri);
  return asset ? (await events({ asset_id: asset.id })).map(landing).filter(Boolean) : [];
}
