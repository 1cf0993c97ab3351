// The clauses found, one line each: a few while searching, one summing line above an answer.
import { useId, useLayoutEffect, useRef, useState } from "react";

import type { Source } from "../qa/events";
import { citedFirst, pathOf, splitPath, sumUp } from "../qa/sources";
import type { Opened } from "./ClauseDrawer";
import { Validity } from "./Validity";

/** How many lines are shown before the first sentence comes. */
const PREVIEW = 3;

interface Props {
  sources: Source[];
  cited: Set<number>;
  /** No sentence yet, and one may still come. */
  searching: boolean;
  onOpen: (opened: Opened) => void;
}

export function SourceList({ sources, cited, searching, onOpen }: Props): React.JSX.Element {
  const [open, setOpen] = useState(false);
  const held = useRef<Element | null>(null);
  const toggle = useRef<HTMLButtonElement>(null);
  const id = useId();
  const closed = searching ? PREVIEW : 0;
  const shown = open ? sources.length : Math.min(closed, sources.length);
  const text = sumUp(sources.length, cited.size);
  const word = open ? "收起" : "展开";

  useLayoutEffect(() => {
    // Lines that fold away must not take the keyboard's place with them. By now the browser has
    // forgotten it: a line that moves up or down the list loses the focus.
    if (!held.current?.closest("li")?.hidden) return;
    held.current = null;
    toggle.current?.focus();
  }, [shown]);

  return (
    <section className={open ? "sources open" : "sources"} aria-label="依据原文">
      <h2>
        {sources.length > closed ? (
          <button
            ref={toggle}
            type="button"
            className="fold"
            aria-expanded={open}
            aria-controls={id}
            onClick={() => setOpen(!open)}
          >
            {cited.size > 0 ? `${text}（${word}）` : `${text} · ${word}`}
          </button>
        ) : (
          text
        )}
      </h2>
      <ol
        id={id}
        hidden={shown === 0}
        onFocus={(event) => (held.current = event.target)}
        onBlur={() => (held.current = null)}
      >
        {citedFirst(sources, cited).map((source, index) => (
          <li key={source.ref} hidden={index >= shown}>
            <SourceLine source={source} cited={cited.has(source.ref)} onOpen={onOpen} />
          </li>
        ))}
      </ol>
    </section>
  );
}

interface LineProps {
  source: Source;
  cited: boolean;
  onOpen: (opened: Opened) => void;
}

function SourceLine({ source, cited, onOpen }: LineProps): React.JSX.Element {
  const [path, last] = splitPath(source);
  const use = cited ? "已引用 " : "";
  return (
    <button
      type="button"
      className="source"
      aria-haspopup="dialog"
      aria-label={`[${source.ref}] ${pathOf(source)} ${use}${source.status}`}
      title={pathOf(source)}
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
      <span className="source-path">
        <span>{path}</span>
        <span className="source-last">{last}</span>
      </span>
      {cited && <span className="source-cited">已引用</span>}
      <Validity status={source.status} />
    </button>
  );
}
