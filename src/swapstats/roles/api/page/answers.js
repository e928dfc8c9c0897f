// HTTP questions to the server this page came from.

/** A refusal in the problem+json shape; status 0 where the server could not be reached. */
export class Problem extends Error {
  constructor(problem, retryAfterMs = 0) {
    super(problem.detail || problem.title || "No answer");
    this.problem = problem;
    this.status = problem.status;
    this.retryAfterMs = retryAfterMs;
  }
}

const WAIT_MS = 10_000;

/**
 * GET a path below `api/` and read its JSON.
 *
 * Throws Problem, or AbortError if `signal` fires.
 */
export async function ask(path, parameters = {}, signal = undefined) {
  const query = new URLSearchParams(parameters);
  const limit = AbortSignal.timeout(WAIT_MS);
  const signals = signal ? AbortSignal.any([signal, limit]) : limit;
  let response;
  let body;
  try {
    response = await fetch(`api/${path}${query.size ? `?${query}` : ""}`, {
      signal: signals,
      headers: { Accept: "application/json" },
      cache: "no-store",
    });
    body = await response.json();
  } catch (error) {
    if (signal?.aborted) throw error;
    const status = response ? response.status : 0;
    throw new Problem({ status, title: "No answer from the server" });
  }
  if (response.ok) return body;
  const retryAfterMs = 1_000 * Number(response.headers.get("Retry-After")) || 0;
  throw new Problem({ status: response.status, ...body }, retryAfterMs);
}

export function tokenPath(id, what) {
  return `tokens/${encodeURIComponent(id)}/${what}`;
}
