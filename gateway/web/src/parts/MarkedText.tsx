// A clause as it is stored, the quotation marked. A quotation that is not there is said so.
import { Alert } from "antd";

import { cutBlocks, type Piece } from "../qa/mark";

export function MarkedText({ text, quote = "" }: { text: string; quote?: string }): React.JSX.Element {
  const at = quote === "" ? -1 : text.indexOf(quote);
  const blocks = cutBlocks(text, Math.max(at, 0), at < 0 ? 0 : at + quote.length);
  return (
    <>
      {blocks.map((block, index) =>
        block.kind === "text" ? (
          <p key={index}>
            <Pieces pieces={block.pieces} />
          </p>
        ) : (
          <table key={index}>
            <tbody>
              {block.rows.map((row, number) => (
                <tr key={number}>
                  {row.map((cell, column) => (
                    <td key={column}>
                      <Pieces pieces={cell} />
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        ),
      )}
      {at < 0 && quote !== "" && (
        <Alert type="warning" showIcon title="引文与当前版本的原文不一致，请以此处原文为准" />
      )}
    </>
  );
}

function Pieces({ pieces }: { pieces: Piece[] }): React.ReactNode {
  return pieces.map((piece, index) =>
    piece.marked ? <mark key={index}>{piece.text}</mark> : <span key={index}>{piece.text}</span>,
  );
}
