// One question and its answer: sources first, then checked sentences, then how it ended.
import { Bubble } from "@ant-design/x";
import { Spin, Tag } from "antd";

import { took } from "../qa/quote";
import { citedRefs } from "../qa/sources";
import { AI_LABEL, NOTICES } from "../qa/status";
import { isRunning, type Turn } from "../qa/turn";
import { AnswerText } from "./AnswerText";
import type { Opened } from "./ClauseDrawer";
import { Ending } from "./Ending";
import { SourceList } from "./SourceList";
import { useFollow } from "./useFollow";

interface Props {
  turn: Turn;
  onOpen: (opened: Opened) => void;
  onRetry: (turn: Turn) => void;
}

export function TurnView({ turn, onOpen, onRetry }: Props): React.JSX.Element {
  return (
    <article className="turn" aria-label={`问题：${turn.question}`}>
      <Bubble
        placement="end"
        variant="filled"
        content={turn.question}
        classNames={{ root: "asked", content: "asked-text" }}
      />
      <Bubble
        placement="start"
        variant="outlined"
        content={turn}
        contentRender={() => <Answered turn={turn} onOpen={onOpen} onRetry={onRetry} />}
        classNames={{ root: "answered", body: "answered-body", content: "answered-text" }}
      />
    </article>
  );
}

function Answered({ turn, onOpen, onRetry }: Props): React.JSX.Element {
  const answer = useFollow(turn);
  const cited = citedRefs(turn.sentences);
  return (
    <div ref={answer}>
      {turn.sources !== null && turn.sources.length > 0 && (
        <SourceList
          sources={turn.sources}
          cited={cited}
          searching={isRunning(turn) && turn.sentences.length === 0}
          onOpen={onOpen}
        />
      )}
      <div aria-live="polite" aria-busy={isRunning(turn)}>
        {turn.done?.status === "answered_faq" && <Tag color="blue">来自常见问题解答</Tag>}
        <AnswerText turn={turn} onOpen={onOpen} />
        {isRunning(turn) && <Waiting turn={turn} />}
        <Ending turn={turn} onRetry={onRetry} />
      </div>
      <AnswerLabel turn={turn} />
    </div>
  );
}

/** Once answered: how long it took, and what writes here. Before that, the gateway's own label. */
function AnswerLabel({ turn }: { turn: Turn }): React.JSX.Element | null {
  if (turn.sentences.length === 0) return null;
  const answered = turn.done !== null && NOTICES[turn.done.status] === null;
  const parts = answered ? [took(turn.done?.timings), AI_LABEL] : [turn.aiLabel];
  const text = parts.filter((part) => part !== "").join(" · ");
  return text === "" ? null : <p className="answer-label">{text}</p>;
}

function Waiting({ turn }: { turn: Turn }): React.JSX.Element {
  const text =
    turn.sources === null
      ? "正在查找法规政策原文……"
      : turn.sentences.length === 0
        ? "正在核对依据……"
        : "正在继续作答……";
  return (
    <p className="waiting">
      <Spin size="small" /> {text}
    </p>
  );
}
