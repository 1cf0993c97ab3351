import { describe, expect, it } from "vitest";

import type { Done, QaEvent, Sentence, Source } from "../src/qa/events";
import { NOTICES } from "../src/qa/status";
import { type Action, isRunning, reduceTurns, type Turn } from "../src/qa/turn";
import { validityOf } from "../src/parts/Validity";

const ASK: Action = { type: "ask", key: 1, question: "怎样办理居住证？", region: null };
const START: QaEvent = { event: "start", answer_id: "a", conversation: "c", ai_label: "AI 生成" };
const SOURCES: QaEvent = { event: "sources", sources: [] };
const DONE: Done = {
  event: "done",
  status: "answered",
  reason: "",
  text: "",
  next_steps: [],
  timings: {},
};

function sentence(id: number): Sentence {
  return { event: "sentence", sentence_id: id, text: `第${id}句。`, citations: [], quoted: false };
}

function play(events: QaEvent[], ...then: Action[]): Turn {
  const actions: Action[] = events.map((event, at) => ({
    type: "event",
    key: 1,
    id: at + 1,
    event,
  }));
  const turn = [ASK, ...actions, ...then].reduce(reduceTurns, [] as Turn[])[0];
  if (!turn) throw new Error("no turn");
  return turn;
}

describe("reduceTurns", () => {
  it("shows sources before any sentence", () => {
    const turn = play([START, SOURCES]);
    expect(turn.sources).toEqual([]);
    expect(turn.sentences).toEqual([]);
    expect(isRunning(turn)).toBe(true);
  });

  it("takes a longer list of sources and keeps the numbers", () => {
    const list = (...titles: string[]): QaEvent => ({
      event: "sources",
      sources: titles.map((title, at) => ({ ref: at + 1, title }) as Source),
    });
    const turn = play([START, list("甲", "乙"), list("甲", "乙", "丙")]);
    expect(turn.sources?.map(({ ref, title }) => `${ref}${title}`)).toEqual(["1甲", "2乙", "3丙"]);
  });

  it("ends with done", () => {
    const turn = play([START, SOURCES, sentence(1), sentence(2), DONE], { type: "ended", key: 1 });
    expect(turn.phase).toBe("done");
    expect(turn.sentences.map((one) => one.sentence_id)).toEqual([1, 2]);
    expect(turn.conversation).toBe("c");
    expect(turn.aiLabel).toBe("AI 生成");
  });

  it("removes retracted sentences and says why", () => {
    const retract: QaEvent = { event: "retract", sentence_ids: [1], reason: "含有个人信息" };
    const turn = play([START, SOURCES, sentence(1), sentence(2), retract, DONE]);
    expect(turn.sentences.map((one) => one.sentence_id)).toEqual([2]);
    expect(turn.retracted).toBe("含有个人信息");
  });

  it("is incomplete when the stream ends without done", () => {
    expect(play([START, sentence(1)], { type: "ended", key: 1 }).phase).toBe("incomplete");
  });

  it("is incomplete when an event was lost", () => {
    const turn = play([START], { type: "event", key: 1, id: 3, event: DONE });
    expect(turn.phase).toBe("incomplete");
  });

  it("ignores what comes after a stop", () => {
    const late: Action = { type: "event", key: 1, id: 2, event: sentence(1) };
    const turn = play([START], { type: "stopped", key: 1 }, late, { type: "ended", key: 1 });
    expect(turn.phase).toBe("stopped");
    expect(turn.sentences).toEqual([]);
  });

  it("keeps the gateway's words when it refuses", () => {
    const turn = play([], { type: "refused", key: 1, message: "提问过于频繁，请 20 秒后再试。" });
    expect(turn).toMatchObject({ phase: "refused", refusal: "提问过于频繁，请 20 秒后再试。" });
  });

  it("retries in place", () => {
    const turns = [ASK, { ...ASK, key: 2 }, { type: "ended", key: 1 } as const, ASK].reduce(
      reduceTurns,
      [] as Turn[],
    );
    expect(turns.map((turn) => [turn.key, turn.phase])).toEqual([
      [1, "waiting"],
      [2, "waiting"],
    ]);
  });

  it("starts over", () => {
    expect(reduceTurns([play([START])], { type: "clear" })).toEqual([]);
  });
});

describe("what is shown", () => {
  it("has words for every way of ending but an answer", () => {
    const silent = Object.entries(NOTICES).filter(([, notice]) => notice === null);
    expect(silent.map(([status]) => status)).toEqual(["answered", "answered_faq"]);
  });

  it("warns of what is not in force", () => {
    expect(["现行有效", "尚未施行", "已废止", "失效"].map(validityOf)).toEqual([
      "holds",
      "not-yet",
      "ended",
      "ended",
    ]);
  });
});
