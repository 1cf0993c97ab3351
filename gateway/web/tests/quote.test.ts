import { describe, expect, it } from "vitest";

import type { Citation } from "../src/qa/events";
import { byPlace, cutQuote, placeOf, took } from "../src/qa/quote";

describe("cutQuote", () => {
  it("makes a table of lines with as many cells", () => {
    expect(cutQuote("事项 | 时限\n签注 | 每年一次\n补领 | 十日")).toEqual([
      { kind: "table", rows: [["事项", "时限"], ["签注", "每年一次"], ["补领", "十日"]] },
    ]);
  });

  it("keeps the lines of rows that do not match", () => {
    const text = "事项 | 时限\n签注 | 每年一次 | 免费";
    expect(cutQuote(text)).toEqual([{ kind: "text", text }]);
  });

  it("keeps text around a table, and its line breaks", () => {
    expect(cutQuote("材料如下：\n（一）照片；\n名称 | 份数\n照片 | 2\n\n窗口办理。")).toEqual([
      { kind: "text", text: "材料如下：\n（一）照片；" },
      { kind: "table", rows: [["名称", "份数"], ["照片", "2"]] },
      { kind: "text", text: "窗口办理。" },
    ]);
  });

  it("keeps an empty cell", () => {
    expect(cutQuote("甲 |  | 乙\n丙 | 丁 | ")).toEqual([
      { kind: "table", rows: [["甲", "", "乙"], ["丙", "丁", ""]] },
    ]);
  });

  it("leaves a sentence alone", () => {
    expect(cutQuote("每人每年一次。")).toEqual([{ kind: "text", text: "每人每年一次。" }]);
  });
});

describe("the source line", () => {
  const citation = (ref: number, clause: string, quote: string): Citation => ({
    ref,
    doc_id: "d",
    doc: "劳动法",
    clause_id: clause,
    clause,
    quote,
  });

  it("names each place once", () => {
    const given = [citation(1, "第五条", "甲"), citation(2, "第六条", "乙"), citation(1, "第五条", "丙")];
    expect(byPlace(given).map((group) => group.map(({ quote }) => quote))).toEqual([
      ["甲", "丙"],
      ["乙"],
    ]);
  });

  it("puts the title in marks, and titles inside it in single ones", () => {
    expect(placeOf({ doc: "劳动法", clause: "第五十条" })).toBe("《劳动法》第五十条");
    expect(placeOf({ doc: "《劳动法》", clause: "第五十条" })).toBe("《劳动法》第五十条");
    expect(placeOf({ doc: "关于印发《办法》的通知", clause: "第一条" })).toBe(
      "《关于印发〈办法〉的通知》第一条",
    );
    expect(placeOf({ doc: "居住证办事指南", clause: "居住证办事指南" })).toBe("《居住证办事指南》");
  });
});

describe("took", () => {
  it("says the seconds, or nothing", () => {
    expect([12, 3240, 12_400].map((total) => took({ total }))).toEqual([
      "用时 0.1 秒",
      "用时 3.2 秒",
      "用时 12 秒",
    ]);
    expect(took({})).toBe("");
    expect(took(undefined)).toBe("");
  });
});
