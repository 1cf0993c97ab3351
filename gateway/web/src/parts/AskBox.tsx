// The question box: Enter sends, Shift+Enter breaks the line, and a running answer can be stopped.
import { SendOutlined } from "@ant-design/icons";
import { Sender } from "@ant-design/x";
import { Button, type GetProps, Input } from "antd";
import { useState } from "react";

const MAX_CHARS = 2000;

/**
 * Sender would put a label on its frame too; the text area alone must carry it. It grows by CSS:
 * antd's own measuring writes a style attribute, which the page's security policy forbids.
 */
function QuestionInput(props: GetProps<typeof Input.TextArea>): React.JSX.Element {
  return (
    <Input.TextArea
      {...props}
      autoSize={false}
      rows={2}
      id="question"
      aria-label="请输入您的问题"
      aria-describedby="ask-help"
    />
  );
}

const COMPONENTS = { input: QuestionInput };

interface Props {
  running: boolean;
  onSend: (question: string) => void;
  onStop: () => void;
}

export function AskBox({ running, onSend, onStop }: Props): React.JSX.Element {
  const [text, setText] = useState("");
  const over = text.length > MAX_CHARS;
  const ready = text.trim() !== "" && !over;
  const send = (): void => {
    if (!ready) return;
    setText("");
    onSend(text.trim());
  };
  return (
    <footer className="ask">
      <Sender
        components={COMPONENTS}
        value={text}
        loading={running}
        placeholder="请输入您的问题，例如：怎样办理居住证？"
        onChange={setText}
        onSubmit={send}
        suffix={(_, { components: { SendButton } }) =>
          running ? (
            <Button onClick={onStop}>停止</Button>
          ) : (
            <SendButton shape="default" icon={<SendOutlined />} disabled={!ready}>
              发送
            </SendButton>
          )
        }
      />
      <p id="ask-help" className={over ? "ask-help over" : "ask-help"} aria-live="polite">
        {over
          ? `问题过长（${text.length} 字），请精简到 ${MAX_CHARS} 字以内。`
          : "回车发送，Shift+回车换行。人工服务请拨打 12345。"}
      </p>
    </footer>
  );
}
