// Reads server-sent events from the body of a fetch, because EventSource cannot POST.
// Follows https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
// Knows the wire format only; knows nothing of what the events mean.

export interface Message {
  id: string;
  event: string;
  data: string;
}

/** Yield each message of the stream; comments and messages without data are dropped. */
export async function* readMessages(body: ReadableStream<Uint8Array>): AsyncGenerator<Message> {
  const reader = body.getReader();
  const text = new TextDecoder(); // joins characters that are cut between two pieces
  let rest = "";
  let draft = empty();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? text.decode() : text.decode(value, { stream: true });
      const [lines, left] = splitLines(rest);
      rest = left;
      for (const line of lines) {
        if (line === "") {
          if (draft.data.length > 0) yield finish(draft);
          draft = { ...empty(), id: draft.id };
        } else {
          take(draft, line);
        }
      }
      if (done) return; // an unfinished message at the end is discarded, as the standard says
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

interface Draft {
  id: string;
  event: string;
  data: string[];
}

function empty(): Draft {
  return { id: "", event: "", data: [] };
}

function finish(draft: Draft): Message {
  return { id: draft.id, event: draft.event || "message", data: draft.data.join("\n") };
}

/** Whole lines (ended by \n, \r or \r\n) and what is left; a last \r waits for its \n. */
function splitLines(text: string): [string[], string] {
  const lines: string[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const mark = text[at];
    if (mark !== "\n" && mark !== "\r") continue;
    if (mark === "\r" && at + 1 === text.length) break;
    lines.push(text.slice(from, at));
    if (mark === "\r" && text[at + 1] === "\n") at++;
    from = at + 1;
  }
  return [lines, text.slice(from)];
}

function take(draft: Draft, line: string): void {
  const colon = line.indexOf(":");
  if (colon === 0) return; // a comment: the gateway's keep-alive
  const field = colon < 0 ? line : line.slice(0, colon);
  const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
  if (field === "data") draft.data.push(value);
  else if (field === "event") draft.event = value;
  else if (field === "id") draft.id = value;
}
