// Holds the conversation: asks, stops, retries and starts over.
import { useEffect, useReducer, useRef } from "react";

import { ask, Refusal } from "../api";
import { isRunning, reduceTurns, type Turn } from "./turn";

export interface Conversation {
  turns: Turn[];
  running: boolean;
  ask: (question: string, region: string | null) => void;
  retry: (turn: Turn) => void;
  stop: () => void;
  clear: () => void;
}

export function useTurns(): Conversation {
  const [turns, dispatch] = useReducer(reduceTurns, []);
  const nextKey = useRef(1);
  const current = useRef<{ key: number; abort: AbortController } | null>(null);

  const halt = (): void => {
    if (!current.current) return;
    dispatch({ type: "stopped", key: current.current.key });
    current.current.abort.abort();
    current.current = null;
  };

  const run = async (key: number, question: string, region: string | null): Promise<void> => {
    halt();
    const abort = new AbortController();
    current.current = { key, abort };
    const conversation = turns.findLast((turn) => turn.conversation !== null)?.conversation ?? null;
    dispatch({ type: "ask", key, question, region });
    try {
      for await (const { id, event } of ask({ question, region, conversation }, abort.signal)) {
        if (abort.signal.aborted) return;
        dispatch({ type: "event", key, id, event });
      }
      dispatch({ type: "ended", key });
    } catch (error) {
      if (abort.signal.aborted) return;
      if (error instanceof Refusal) dispatch({ type: "refused", key, message: error.message });
      else dispatch({ type: "ended", key }); // the connection broke half way
    } finally {
      if (current.current?.abort === abort) current.current = null;
    }
  };

  useEffect(() => () => current.current?.abort.abort(), []);

  return {
    turns,
    running: turns.some(isRunning),
    ask: (question, region) => void run(nextKey.current++, question, region),
    retry: (turn) => void run(turn.key, turn.question, turn.region),
    stop: halt,
    clear: () => {
      halt();
      dispatch({ type: "clear" });
    },
  };
}
