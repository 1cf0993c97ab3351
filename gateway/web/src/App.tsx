// The citizen page: header, conversation, question box and the drawer of the cited clause.
import { useEffect, useRef, useState } from "react";

import { fetchShelf, type Shelf } from "./api";
import { AskBox } from "./parts/AskBox";
import { ClauseDrawer, type Opened } from "./parts/ClauseDrawer";
import { PageHeader } from "./parts/PageHeader";
import { TurnView } from "./parts/TurnView";
import { Welcome } from "./parts/Welcome";
import { useTurns } from "./qa/useTurns";

export function App(): React.JSX.Element {
  const talk = useTurns();
  const [shelf, setShelf] = useState<Shelf | null>(null);
  const [region, setRegion] = useState<string | null>(null);
  const [opened, setOpened] = useState<Opened | null>(null);
  const last = useRef<HTMLDivElement>(null);
  const count = talk.turns.length;

  useEffect(() => {
    // Without the shelf the page still asks; only the choice of region is missing.
    fetchShelf().then(setShelf, () => undefined);
  }, []);

  useEffect(() => {
    // A new question goes to the top, so that its answer has the page below it to grow into.
    if (count > 0) last.current?.scrollIntoView({ block: "start" });
  }, [count]);

  const send = (question: string): void => {
    setOpened(null);
    talk.ask(question, region);
  };

  return (
    <div className={opened ? "page beside" : "page"}>
      <a className="skip" href="#question">
        跳到提问框
      </a>
      <PageHeader
        shelf={shelf}
        region={region}
        onRegion={setRegion}
        onClear={count > 0 ? talk.clear : null}
      />
      <main className="talk" aria-label="问答记录">
        {count === 0 && <Welcome onPick={send} />}
        {talk.turns.map((turn) => (
          <div key={turn.key} ref={turn === talk.turns.at(-1) ? last : null} className="turn-place">
            <TurnView turn={turn} onOpen={setOpened} onRetry={talk.retry} />
          </div>
        ))}
      </main>
      <AskBox running={talk.running} onSend={send} onStop={talk.stop} />
      <ClauseDrawer
        kb={shelf?.default_kb ?? null}
        opened={opened}
        onClose={() => setOpened(null)}
      />
    </div>
  );
}
