// The checked sentences with their citation marks. A quoted sentence looks like a quotation.
import type { Citation, Sentence } from "../qa/events";
import type { Turn } from "../qa/turn";
import type { Opened } from "./ClauseDrawer";

interface Props {
  turn: Turn;
  onOpen: (opened: Opened) => void;
}

export function AnswerText({ turn, onOpen }: Props): React.JSX.Element {
  return (
    <div className="sentences">
      {paragraphs(turn.sentences).map((group) =>
        group[0]?.quoted ? (
          <blockquote key={group[0].sentence_id}>
            {group.map((sentence) => (
              <OneSentence key={sentence.sentence_id} sentence={sentence} onOpen={onOpen} />
            ))}
          </blockquote>
        ) : (
          <p key={group[0]?.sentence_id}>
            {group.map((sentence) => (
              <OneSentence key={sentence.sentence_id} sentence={sentence} onOpen={onOpen} />
            ))}
          </p>
        ),
      )}
    </div>
  );
}

/** Neighbouring phrased sentences make a paragraph; each quotation stands alone. */
function paragraphs(sentences: Sentence[]): Sentence[][] {
  const groups: Sentence[][] = [];
  for (const sentence of sentences) {
    const last = groups.at(-1);
    if (last && !sentence.quoted && !last[0]?.quoted) last.push(sentence);
    else groups.push([sentence]);
  }
  return groups;
}

interface OneProps {
  sentence: Sentence;
  onOpen: (opened: Opened) => void;
}

function OneSentence({ sentence, onOpen }: OneProps): React.JSX.Element {
  return (
    <span className="sentence" data-sentence={sentence.sentence_id}>
      {sentence.text}
      {sentence.citations.map((citation, index) => (
        <Mark key={`${citation.ref}-${index}`} citation={citation} onOpen={onOpen} />
      ))}
    </span>
  );
}

interface MarkProps {
  citation: Citation;
  onOpen: (opened: Opened) => void;
}

function Mark({ citation, onOpen }: MarkProps): React.JSX.Element {
  return (
    <button
      type="button"
      className="mark"
      aria-haspopup="dialog"
      aria-label={`查看引用 ${citation.ref}：${citation.doc} ${citation.clause}`}
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
