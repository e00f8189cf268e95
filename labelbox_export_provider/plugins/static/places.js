// Where the manifest of a window lies, and the store's own page about it.

import { moment, windowName } from "./text.js";

// The beginning of the manifest's name, or of that of the error rows; what follows is the generation, which no snapshot
// holds. Ids are in snapshots as they are in names.
export function placeOf(prefix, source, window) {
  const rejected = window.state === "rejected";
  const of = `source=${source.source}/id=${source.id}/`;
  const folder = rejected ? `errors/${of}dt=${moment(window.start).slice(0, 10)}/` : `manifests/${of}`;
  return { folder: `${prefix.replace(/\/+$/, "")}/${folder}`, name: `${windowName(window)}.` };
}

export function split(uri) {
  const end = uri.lastIndexOf("/") + 1;
  return { folder: uri.slice(0, end), name: uri.slice(end) };
}

export function consoleUrl(folder, name) {
  const [, scheme, bucket, path] = /^(\w+):\/\/([^/]+)\/(.*)$/.exec(folder) ?? [];
  if (scheme === "s3") {
    if (name.endsWith(".json")) return `https://console.aws.amazon.com/s3/object/${bucket}?prefix=${encodeURIComponent(path + name)}`;
    return `https://console.aws.amazon.com/s3/buckets/${bucket}?prefix=${encodeURIComponent(path)}&tab=objects`;
  }
  if (scheme === "gs") {
    const escaped = path.split("/").map(encodeURIComponent).join("/");
    return `https://console.cloud.google.com/storage/browser/${bucket}/${escaped}?prefix=${encodeURIComponent(name)}`;
  }
  return null;
}
