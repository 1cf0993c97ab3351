// One question and what has come back for it so far: a reducer, free of React and of the network.
import type { Done, QaEvent, Sentence, Source } from "./events";
import { mergeSources } from "./sources";

/** `incomplete`: the stream ended without `done`, or an event went missing on the way. */
export type Phase = "waiting" | "streaming" | "done" | "incomplete" | "stopped" | "refused";

export interface Turn {
  key: number;
  question: string;
  region: string | null;
  phase: Phase;
  aiLabel: string;
  conversation: string | null;
  /** null until the `sources` event has come. */
  sources: Source[] | null;
  sentences: Sentence[];
  retracted: string | null;
  done: Done | null;
  /** Why the gateway refused, in its own words. */
  refusal: string | null;
  lastId: number;
}

export type Action =
  | { type: "ask"; key: number; question: string; region: string | null }
  | { type: "event"; key: number; id: number; event: QaEvent }
  | { type: "ended"; key: number }
  | { type: "stopped"; key: number }
  | { type: "refused"; key: number; message: string }
  | { type: "clear" };

export function reduceTurns(turns: Turn[], action: Action): Turn[] {
  if (action.type === "clear") return [];
  if (action.type === "ask") {
    const asked = newTurn(action.key, action.question, action.region);
    // Asking again under the same key is a retry: it takes the place of the failed attempt.
    return turns.some((turn) => turn.key === action.key)
      ? turns.map((turn) => (turn.key === action.key ? asked : turn))
      : [...turns, asked];
  }
  return turns.map((turn) => (turn.key === action.key ? reduceTurn(turn, action) : turn));
}

export function newTurn(key: number, question: string, region: string | null): Turn {
  return {
    key,
    question,
    region,
    phase: "waiting",
    aiLabel: "",
    conversation: null,
    sources: null,
    sentences: [],
    retracted: null,
    done: null,
    refusal: null,
    lastId: 0,
  };
}

export function isRunning(turn: Turn | undefined): boolean {
  return turn?.phase === "waiting" || turn?.phase === "streaming";
}

type TurnAction = Exclude<Action, { type: "ask" } | { type: "clear" }>;

function reduceTurn(turn: Turn, action: TurnAction): Turn {
  if (!isRunning(turn)) return turn; // late pieces of a stream that was already closed
  switch (action.type) {
    case "ended":
      return { ...turn, phase: "incomplete" };
    case "stopped":
      return { ...turn, phase: "stopped" };
    case "refused":
      return { ...turn, phase: "refused", refusal: action.message };
    case "event":
      if (action.id !== turn.lastId + 1) return { ...turn, phase: "incomplete" };
      return take({ ...turn, lastId: action.id, phase: "streaming" }, action.event);
  }
}

function take(turn: Turn, event: QaEvent): Turn {
  switch (event.event) {
    case "start":
      return { ...turn, aiLabel: event.ai_label, conversation: event.conversation };
    case "sources":
      return { ...turn, sources: mergeSources(turn.sources ?? [], event.sources) };
    case "sentence":
      return { ...turn, sentences: [...turn.sentences, event] };
    case "retract": {
      const gone = new Set(event.sentence_ids);
      const left = turn.sentences.filter((sentence) => !gone.has(sentence.sentence_id));
      return { ...turn, sentences: left, retracted: event.reason };
    }
    case "done":
      return { ...turn, done: event, phase: "done" };
  }
}
