import { describe, expect, it } from "vitest";

import { followBy } from "../src/parts/useFollow";
import type { Sentence, Source } from "../src/qa/events";
import {
  citedFirst,
  citedRefs,
  mergeSources,
  pathOf,
  splitPath,
  sumUp,
} from "../src/qa/sources";

const source = (ref: number, title = `第${ref}部`): Source => ({ ref, title }) as Source;
const citing = (...refs: number[]): Sentence =>
  ({ citations: refs.map((ref) => ({ ref })) }) as Sentence;
const refs = (sources: Source[]): number[] => sources.map(({ ref }) => ref);

describe("the list of sources", () => {
  it("puts what is cited first and keeps the numbers", () => {
    const cited = citedRefs([citing(4, 2), citing(4)]);
    expect(refs(citedFirst([1, 2, 3, 4].map((ref) => source(ref)), cited))).toEqual([2, 4, 1, 3]);
  });

  it("never gives a number to another clause", () => {
    const merged = mergeSources([source(1, "甲")], [source(1, "乙"), source(2, "丙")]);
    expect(merged.map(({ title }) => title)).toEqual(["甲", "丙"]);
  });

  it("calls a basis only what is cited", () => {
    expect(sumUp(9, 0)).toBe("共找到 9 条相关规定");
    expect(sumUp(9, 2)).toBe("依据 2 条，另有 7 条相关规定");
    expect(sumUp(2, 2)).toBe("依据 2 条");
  });

  it("gives the title once", () => {
    expect(pathOf({ title: "劳动法", path: "劳动法 › 第五十条" })).toBe("劳动法 › 第五十条");
    expect(pathOf({ title: "劳动法", path: "第五十条" })).toBe("劳动法 › 第五十条");
    expect(pathOf({ title: "劳动法", path: "" })).toBe("劳动法");
  });

  it("sets the last step apart", () => {
    const path = "劳动法 › 第五章 工资 › 第五十条";
    expect(splitPath({ title: "劳动法", path })).toEqual(["劳动法 › 第五章 工资", " › 第五十条"]);
    expect(splitPath({ title: "劳动法", path: "" })).toEqual(["劳动法", ""]);
  });
});

describe("followBy", () => {
  const view = { top: 100, bottom: 700 };

  it("stays where everything is in view", () => {
    expect(followBy(view, 300, 600)).toBe(0);
  });

  it("brings the end into view", () => {
    expect(followBy(view, 650, 800)).toBe(116);
  });

  it("shows the beginning of what is taller than the view", () => {
    expect(followBy(view, 400, 2000)).toBe(284);
  });
});
