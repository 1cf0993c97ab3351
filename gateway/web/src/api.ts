// The gateway's application routes, and its errors as plain Chinese.
import type { QaEvent } from "./qa/events";
import { readMessages } from "./qa/sse";

export interface Shelf {
  kbs: { name: string; documents: number; chunks: number; embedded: number }[];
  regions: string[];
  default_kb: string;
  default_region: string;
}

export interface ClauseText {
  clause_id: string;
  label: string;
  text: string;
}

export interface Clause extends ClauseText {
  doc_id: string;
  title: string;
  path: string;
  organ: string | null;
  document_number: string | null;
  region: string | null;
  status: string;
  issued: string | null;
  effective_from: string | null;
  effective_to: string | null;
  before: ClauseText[];
  after: ClauseText[];
}

/** The gateway said no, or could not be reached. `message` may be shown as it is. */
export class Refusal extends Error {}

const UNREACHABLE = "无法连接服务器，请检查网络后重试。如情况紧急，请拨打 12345 政务服务便民热线。";

export interface Ask {
  question: string;
  region: string | null;
  conversation: string | null;
}

/** Ask, and yield each numbered event as it comes. */
export async function* ask(
  question: Ask,
  signal: AbortSignal,
): AsyncGenerator<{ id: number; event: QaEvent }> {
  const response = await request("/api/qa", {
    method: "POST",
    headers: { "content-type": "application/json", accept: "text/event-stream" },
    body: JSON.stringify(question),
    signal,
  });
  if (!response.body) return;
  for await (const message of readMessages(response.body)) {
    yield { id: Number(message.id), event: JSON.parse(message.data) as QaEvent };
  }
}

export async function fetchShelf(): Promise<Shelf> {
  return (await (await request("/api/kb")).json()) as Shelf;
}

export async function fetchClause(
  kb: string,
  docId: string,
  clauseId: string,
  signal: AbortSignal,
): Promise<Clause> {
  const parts = [kb, docId, clauseId].map(encodeURIComponent);
  const url = `/api/kb/${parts[0]}/documents/${parts[1]}/clauses/${parts[2]}`;
  return (await (await request(url, { signal })).json()) as Clause;
}

async function request(url: string, init?: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    if (init?.signal?.aborted) throw error;
    throw new Refusal(UNREACHABLE, { cause: error });
  }
  if (!response.ok) throw new Refusal(await explain(response));
  return response;
}

async function explain(response: Response): Promise<string> {
  const fallback = `服务暂时不可用（${response.status}），请稍后重试，或拨打 12345 政务服务便民热线。`;
  try {
    const body = (await response.json()) as { error?: { message?: string } };
    return body.error?.message ?? fallback;
  } catch {
    return fallback; // a proxy on the way answered with its own page
  }
}
