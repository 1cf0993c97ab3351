// How a question ended when sentences alone do not say it, and where to go next.
import { Alert, Button } from "antd";

import type { NextStep } from "../qa/events";
import { NOTICES } from "../qa/status";
import type { Turn } from "../qa/turn";

interface Props {
  turn: Turn;
  onRetry: (turn: Turn) => void;
}

export function Ending({ turn, onRetry }: Props): React.JSX.Element {
  const retry = (
    <Button className="retry" onClick={() => onRetry(turn)}>
      重试
    </Button>
  );
  return (
    <>
      {turn.retracted !== null && (
        <Alert
          type="warning"
          showIcon
          title="部分内容未通过核查，已撤回"
          description={turn.retracted}
        />
      )}
      {turn.phase === "incomplete" && (
        <Alert
          type="warning"
          showIcon
          title="未完成"
          description="回答中途断开，以上内容可能不完整，请重试。"
          action={retry}
        />
      )}
      {turn.phase === "stopped" && (
        <Alert
          type="info"
          showIcon
          title="已停止"
          description="回答已按您的要求停止，以上内容不完整。"
          action={retry}
        />
      )}
      {turn.phase === "refused" && (
        <Alert
          type="error"
          showIcon
          title="未能提交问题"
          description={turn.refusal}
          action={retry}
        />
      )}
      {turn.done && <Result turn={turn} retry={retry} />}
    </>
  );
}

function Result({ turn, retry }: { turn: Turn; retry: React.ReactNode }): React.JSX.Element | null {
  const { done } = turn;
  if (!done) return null;
  const notice = NOTICES[done.status];
  const text = done.text || notice?.text || "";
  return (
    <>
      {notice ? (
        <Alert
          className={`status-${done.status}`}
          type={notice.tone}
          showIcon
          title={notice.title}
          description={text}
          action={notice.retry ? retry : undefined}
        />
      ) : (
        turn.sentences.length === 0 && text !== "" && <p>{text}</p>
      )}
      {done.next_steps.length > 0 && <NextSteps steps={done.next_steps} />}
    </>
  );
}

function NextSteps({ steps }: { steps: NextStep[] }): React.JSX.Element {
  return (
    <section className="next" aria-label="您可以这样做">
      <h2>您可以这样做</h2>
      <ul>
        {steps.map((step) => (
          <li key={`${step.kind}-${step.label}-${step.value}`}>
            <span className="next-label">{step.label}</span>
            <StepValue step={step} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function StepValue({ step }: { step: NextStep }): React.JSX.Element {
  const dialable = /^[\d+][\d\- ]{2,}$/.test(step.value);
  if (step.kind === "phone" || (step.kind === "human" && dialable)) {
    return <a href={`tel:${step.value.replace(/[^\d+]/g, "")}`}>{step.value}</a>;
  }
  // Only web addresses become links: a value comes from data, and javascript: must not run.
  if (step.kind === "link" && /^https?:\/\//.test(step.value)) {
    return (
      <a href={step.value} target="_blank" rel="noopener noreferrer">
        {step.value}
      </a>
    );
  }
  return <span>{step.value}</span>;
}
