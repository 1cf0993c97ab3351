// The clauses of a turn: their numbers, their order, and the line that sums them up.
import type { Sentence, Source } from "./events";

/** A number once shown keeps its clause; later lists only add to it. */
export function mergeSources(shown: Source[], fresh: Source[]): Source[] {
  const taken = new Set(shown.map((source) => source.ref));
  return [...shown, ...fresh.filter((source) => !taken.has(source.ref))];
}

/** The numbers that the sentences refer to. */
export function citedRefs(sentences: Sentence[]): Set<number> {
  return new Set(sentences.flatMap((sentence) => sentence.citations.map(({ ref }) => ref)));
}

/** Cited clauses first; within each half the order they were found in. */
export function citedFirst(sources: Source[], cited: Set<number>): Source[] {
  const isCited = (source: Source): boolean => cited.has(source.ref);
  return [...sources.filter(isCited), ...sources.filter((source) => !isCited(source))];
}

/** What the list is, in one line. Only what a sentence cites is called a basis (依据). */
export function sumUp(found: number, cited: number): string {
  if (cited === 0) return `共找到 ${found} 条相关规定`;
  const more = found - cited;
  return more > 0 ? `依据 ${cited} 条，另有 ${more} 条相关规定` : `依据 ${cited} 条`;
}

/** The path and its last step apart: a narrow line shortens the first and keeps the second. */
export function splitPath(source: { title: string; path: string }): [string, string] {
  const path = pathOf(source);
  const cut = path.lastIndexOf(" › ");
  return cut < 0 ? [path, ""] : [path.slice(0, cut), path.slice(cut)];
}

/** A path begins with the document's title; give the title where it does not. */
export function pathOf(source: { title: string; path: string }): string {
  if (source.path === "" || source.path === source.title) return source.title;
  return source.path.startsWith(source.title) ? source.path : `${source.title} › ${source.path}`;
}
