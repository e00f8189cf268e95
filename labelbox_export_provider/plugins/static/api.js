// Airflow's public API, asked with the session of whoever looks at the page.

const PAGE = 100; // the default of [api] maximum_page_limit
const MAX_PAGES = 20;

export class ApiError extends Error {
  constructor(status, path) {
    super(`Airflow answered ${status} for ${path}`);
    this.status = status;
  }
}

// Airflow's address, which ends with a slash and holds the path that a proxy may add.
export const airflowUrl = (path) => new URL(path, document.baseURI).href;

export async function get(path, query = {}) {
  const url = new URL(`api/v2/${path}`, document.baseURI);
  for (const [name, value] of Object.entries(query)) {
    for (const each of [value].flat()) url.searchParams.append(name, each);
  }
  const answer = await fetch(url, { credentials: "same-origin", headers: { accept: "application/json" } });
  if (!answer.ok) throw new ApiError(answer.status, path);
  return answer.json();
}

// All items of a list, or as many as are on the first pages; `enough(items)` ends it sooner.
export async function list(path, key, query = {}, enough = () => false) {
  const items = [];
  for (let page = 0; page < MAX_PAGES; page += 1) {
    const answer = await get(path, { ...query, limit: PAGE, offset: items.length });
    items.push(...answer[key]);
    if (!answer[key].length || items.length >= answer.total_entries || enough(items)) break;
  }
  return items;
}

export const runPath = (dagId, runId) => `dags/${encodeURIComponent(dagId)}/runs/${encodeURIComponent(runId)}`;
