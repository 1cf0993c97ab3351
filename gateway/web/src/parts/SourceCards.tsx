// The clauses an answer leans on, shown before the first sentence.
import type { Source } from "../qa/events";
import type { Opened } from "./ClauseDrawer";

interface Props {
  sources: Source[];
  onOpen: (opened: Opened) => void;
}

export function SourceCards({ sources, onOpen }: Props): React.JSX.Element {
  return (
    <section className="sources" aria-label="依据原文">
      <h2>依据原文（{sources.length}）</h2>
      <ol>
        {sources.map((source) => (
          <li key={source.ref}>
            <button
              type="button"
              className="source"
              aria-haspopup="dialog"
              onClick={() =>
                onOpen({
                  ref: source.ref,
                  docId: source.doc_id,
                  clauseId: source.clause_id,
                  title: source.title,
                  quote: source.quote,
                })
              }
            >
              <span className="source-ref">[{source.ref}]</span>
              <span className="source-body">
                <span className="source-path">{pathOf(source)}</span>
                <span className="source-facts">
                  <Validity status={source.status} />
                  {source.region && <span>{source.region.split("/").join(" ")}</span>}
                  {source.document_number && <span>{source.document_number}</span>}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ol>
    </section>
  );
}

/** A path begins with the document's title; give the title where it does not. */
export function pathOf(source: { title: string; path: string }): string {
  if (source.path === "" || source.path === source.title) return source.title;
  return source.path.startsWith(source.title) ? source.path : `${source.title} › ${source.path}`;
}

/** Whether a document holds, in words and in a colour that words do not need. */
export function Validity({ status }: { status: string }): React.JSX.Element {
  return <span className={`validity ${validityOf(status)}`}>{status}</span>;
}

export function validityOf(status: string): "holds" | "not-yet" | "ended" {
  if (/失效|废止|已修改|过期/.test(status)) return "ended";
  return /未|尚/.test(status) ? "not-yet" : "holds";
}
