// Cuts a clause into paragraphs and table rows, and says which stretches are the quotation.
// A table is stored as its rows, one a line, cells joined by " | ". Knows nothing of React.

export interface Piece {
  text: string;
  marked: boolean;
}

export type Block = { kind: "text"; pieces: Piece[] } | { kind: "table"; rows: Piece[][][] };

const CELL = " | ";

/** The blocks of `text`; `from` and `to` bound the quotation (equal: there is none). */
export function cutBlocks(text: string, from: number, to: number): Block[] {
  const blocks: Block[] = [];
  let at = 0;
  for (const line of text.split("\n")) {
    const last = blocks.at(-1);
    if (line.includes(CELL)) {
      const row = cutRow(line, at, from, to);
      if (last?.kind === "table") last.rows.push(row);
      else blocks.push({ kind: "table", rows: [row] });
    } else if (line.trim() !== "") {
      blocks.push({ kind: "text", pieces: cutPieces(line, at, from, to) });
    }
    at += line.length + 1;
  }
  return blocks;
}

function cutRow(line: string, at: number, from: number, to: number): Piece[][] {
  let start = at;
  return line.split(CELL).map((cell) => {
    const pieces = cutPieces(cell, start, from, to);
    start += cell.length + CELL.length;
    return pieces;
  });
}

/** `text`, which begins at `at` in the clause, cut where the quotation begins and ends. */
function cutPieces(text: string, at: number, from: number, to: number): Piece[] {
  const inside = (point: number): number => Math.min(Math.max(point - at, 0), text.length);
  const begin = inside(from);
  const end = inside(to);
  return [
    { text: text.slice(0, begin), marked: false },
    { text: text.slice(begin, end), marked: true },
    { text: text.slice(end), marked: false },
  ].filter((piece) => piece.text !== "");
}
