import { describe, expect, it } from "vitest";

import { type Block, cutBlocks } from "../src/qa/mark";

function cut(text: string, quote: string): Block[] {
  const at = text.indexOf(quote);
  return cutBlocks(text, at, at + quote.length);
}

function marked(blocks: Block[]): string[] {
  const pieces = blocks.flatMap((block) =>
    block.kind === "text" ? block.pieces : block.rows.flat(2),
  );
  return pieces.filter((piece) => piece.marked).map((piece) => piece.text);
}

describe("cutBlocks", () => {
  it("marks a quotation inside a paragraph", () => {
    const blocks = cut("应当自受理之日起十五日内发放。", "十五日内");
    expect(blocks).toEqual([
      {
        kind: "text",
        pieces: [
          { text: "应当自受理之日起", marked: false },
          { text: "十五日内", marked: true },
          { text: "发放。", marked: false },
        ],
      },
    ]);
  });

  it("marks a quotation that runs over paragraphs", () => {
    expect(marked(cut("材料：\n（一）身份证；\n（二）照片。", "材料：\n（一）身份证"))).toEqual([
      "材料：",
      "（一）身份证",
    ]);
  });

  it("makes tables of rows and marks cells", () => {
    const blocks = cut("所需材料\n序号 | 材料\n1 | 身份证\n以上各一份。", "1 | 身份证");
    expect(blocks.map((block) => block.kind)).toEqual(["text", "table", "text"]);
    expect(blocks[1]).toMatchObject({ rows: [[{}, {}], [{}, {}]] });
    expect(marked(blocks)).toEqual(["1", "身份证"]);
  });

  it("marks nothing without a quotation", () => {
    expect(marked(cutBlocks("一\n二 | 三", 0, 0))).toEqual([]);
  });
});
