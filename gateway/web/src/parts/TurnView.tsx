// One question and its answer: sources first, then checked sentences, then how it ended.
import { Bubble } from "@ant-design/x";
import { Spin, Tag } from "antd";

import { isRunning, type Turn } from "../qa/turn";
import { AnswerText } from "./AnswerText";
import type { Opened } from "./ClauseDrawer";
import { Ending } from "./Ending";
import { SourceCards } from "./SourceCards";

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
  return (
    <>
      {turn.sources !== null && turn.sources.length > 0 && (
        <SourceCards sources={turn.sources} onOpen={onOpen} />
      )}
      <div aria-live="polite" aria-busy={isRunning(turn)}>
        {turn.done?.status === "answered_faq" && <Tag color="blue">来自常见问题解答</Tag>}
        <AnswerText turn={turn} onOpen={onOpen} />
        {isRunning(turn) && <Waiting turn={turn} />}
        <Ending turn={turn} onRetry={onRetry} />
      </div>
      {turn.sentences.length > 0 && turn.aiLabel !== "" && (
        <p className="answer-label">{turn.aiLabel}</p>
      )}
    </>
  );
}

function Waiting({ turn }: { turn: Turn }): React.JSX.Element {
  const text =
    turn.sources === null
      ? "正在查找法规政策原文……"
      : turn.sentences.length === 0
        ? "已找到相关原文，正在逐句核对后作答……"
        : "正在继续作答……";
  return (
    <p className="waiting">
      <Spin size="small" /> {text}
    </p>
  );
}
