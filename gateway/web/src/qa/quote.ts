// How a quotation is set: its tables, its source line, and how long the answer took.
import type { Citation } from "./events";

export type Part = { kind: "text"; text: string } | { kind: "table"; rows: string[][] };

const CELL = " | ";

/**
 * The tables and the lines of a quotation. Neighbouring lines are a table when they have the same
 * number of cells; a quotation may begin or end inside a row, and then its lines stay lines.
 */
export function cutQuote(text: string): Part[] {
  const parts: Part[] = [];
  for (const run of runs(text.split("\n"))) {
    const rows = run.map((line) => line.split(CELL).map((cell) => cell.trim()));
    const columns = rows[0]?.length ?? 1;
    if (columns > 1 && rows.every((row) => row.length === columns)) {
      parts.push({ kind: "table", rows });
      continue;
    }
    const lines = run.join("\n");
    const last = parts.at(-1);
    if (last?.kind === "text") last.text += `\n${lines}`;
    else parts.push({ kind: "text", text: lines });
  }
  return parts;
}

/** Lines with cells apart from lines without; empty lines are left out. */
function runs(lines: string[]): string[][] {
  const found: string[][] = [];
  for (const line of lines) {
    if (line.trim() === "") continue;
    const last = found.at(-1);
    if (last?.[0]?.includes(CELL) === line.includes(CELL)) last?.push(line);
    else found.push([line]);
  }
  return found;
}

/** Citations by the place they name, so that a source line names each place once. */
export function byPlace(citations: Citation[]): Citation[][] {
  const places = new Map<string, Citation[]>();
  for (const citation of citations) {
    const key = `${citation.ref} ${citation.doc_id} ${citation.clause}`;
    places.set(key, [...(places.get(key) ?? []), citation]);
  }
  return [...places.values()];
}

/** 《法名》第N条. Titles inside a title take single marks (GB/T 15834-2011, 4.15). */
export function placeOf({ doc, clause }: { doc: string; clause: string }): string {
  const whole = /^《[^《》]*》$/.test(doc);
  const title = whole ? doc : `《${doc.replaceAll("《", "〈").replaceAll("》", "〉")}》`;
  return clause === doc ? title : `${title}${clause}`;
}

/** “用时 3.2 秒”, or nothing when it was not measured. */
export function took(timings: Record<string, number> | undefined): string {
  const total = timings?.["total"];
  if (total === undefined) return "";
  const seconds = total / 1000;
  return `用时 ${seconds < 10 ? Math.max(seconds, 0.1).toFixed(1) : Math.round(seconds)} 秒`;
}
