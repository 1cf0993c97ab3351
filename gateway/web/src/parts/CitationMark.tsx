// [n]: opens the clause that a sentence cites, with the cited words marked.
import type { Citation } from "../qa/events";
import { placeOf } from "../qa/quote";
import type { Opened } from "./ClauseDrawer";

interface Props {
  citation: Citation;
  onOpen: (opened: Opened) => void;
}

export function CitationMark({ citation, onOpen }: Props): React.JSX.Element {
  return (
    <button
      type="button"
      className="mark"
      aria-haspopup="dialog"
      aria-label={`查看引用 ${citation.ref}：${placeOf(citation)}`}
      onClick={() =>
        onOpen({
          ref: citation.ref,
          docId: citation.doc_id,
          clauseId: citation.clause_id,
          title: citation.doc,
          quote: citation.quote,
        })
      }
    >
      [{citation.ref}]
    </button>
  );
}
