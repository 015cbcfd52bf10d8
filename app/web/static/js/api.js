// Calls of the API from a page: the session's cookie authenticates, the header shows that it is
// our own script that asks (docs/decisions/0070).

/** What the service answered instead of a result: `status`, `code`, `detail` and its other members. */
export class Problem extends Error {
  constructor(status, members) {
    super(members.detail ?? `The service answered ${status}.`);
    Object.assign(this, members, { status });
  }
}

/**
 * Call the API and return what it answers, read from JSON; null where there is no body.
 *
 * `body` is sent as JSON, `version` as If-Match, `signal` can abort. Throws a Problem for what the
 * service refuses and TypeError where it cannot be reached. A session that is over leads to the
 * sign-in page and back.
 */
export async function call(method, url, { body, version, signal, keepalive } = {}) {
  const headers = { Accept: "application/json", "X-Label-Audit": "1" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (version !== undefined) headers["If-Match"] = `"${version}"`;
  const reply = await fetch(url, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
    keepalive,
  });
  const text = await reply.text();
  const isJson = /\bjson\b/.test(reply.headers.get("Content-Type") ?? "");
  const content = text && isJson ? JSON.parse(text) : null;
  if (reply.ok) return content;
  if (reply.status === 401) signInAgain();
  throw new Problem(reply.status, content ?? {});
}

/** Whether the browser is on its way to the sign-in page: leaving needs no question then. */
export const session = { isOver: false };

/** Go to the sign-in page and back. */
export function signInAgain() {
  session.isOver = true;
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}
