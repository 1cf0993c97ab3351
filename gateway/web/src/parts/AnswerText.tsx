// The checked sentences in the order they came: quotations, and what was said of them plainly.
import type { Sentence } from "../qa/events";
import type { Turn } from "../qa/turn";
import { CitationMark } from "./CitationMark";
import type { Opened } from "./ClauseDrawer";
import { Quotation } from "./Quotation";

interface Props {
  turn: Turn;
  onOpen: (opened: Opened) => void;
}

export function AnswerText({ turn, onOpen }: Props): React.JSX.Element {
  return (
    <div className="sentences">
      {paragraphs(turn.sentences).map((group) => {
        const [first] = group;
        return first?.quoted ? (
          <Quotation key={first.sentence_id} sentence={first} onOpen={onOpen} />
        ) : (
          <Plainly key={first?.sentence_id} sentences={group} onOpen={onOpen} />
        );
      })}
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

interface PlainlyProps {
  sentences: Sentence[];
  onOpen: (opened: Opened) => void;
}

function Plainly({ sentences, onOpen }: PlainlyProps): React.JSX.Element {
  return (
    <div className="part plainly">
      <p className="lead">简单说：</p>
      <p>
        {sentences.map((sentence) => (
          <span
            key={sentence.sentence_id}
            className="sentence"
            data-sentence={sentence.sentence_id}
          >
            {sentence.text}
            {sentence.citations.map((citation, index) => (
              <CitationMark key={index} citation={citation} onOpen={onOpen} />
            ))}
          </span>
        ))}
      </p>
    </div>
  );
}
