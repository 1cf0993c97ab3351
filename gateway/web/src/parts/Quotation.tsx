// A sentence in the clause's own words: lines and tables as they stand, and where they stand.
import type { Sentence } from "../qa/events";
import { byPlace, cutQuote, placeOf } from "../qa/quote";
import { CitationMark } from "./CitationMark";
import type { Opened } from "./ClauseDrawer";

interface Props {
  sentence: Sentence;
  onOpen: (opened: Opened) => void;
}

export function Quotation({ sentence, onOpen }: Props): React.JSX.Element {
  return (
    <blockquote className="part">
      <div className="sentence" data-sentence={sentence.sentence_id}>
        {cutQuote(sentence.text).map((part, index) =>
          part.kind === "text" ? (
            <p key={index}>{part.text}</p>
          ) : (
            <QuotedTable key={index} rows={part.rows} />
          ),
        )}
      </div>
      {byPlace(sentence.citations).map((citations, index) => (
        <p key={index} className="quote-source">
          {citations[0] && `——${placeOf(citations[0])} `}
          {citations.map((citation, number) => (
            <CitationMark key={number} citation={citation} onOpen={onOpen} />
          ))}
        </p>
      ))}
    </blockquote>
  );
}

/** A wide table scrolls by itself, by keyboard too, so that the page never does. */
function QuotedTable({ rows }: { rows: string[][] }): React.JSX.Element {
  return (
    <div className="quote-table" role="region" aria-label="引用的表格" tabIndex={0}>
      <table>
        <tbody>
          {rows.map((row, number) => (
            <tr key={number}>
              {row.map((cell, column) => (
                <td key={column}>{cell}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
