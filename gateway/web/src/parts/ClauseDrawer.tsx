// The cited clause as it is stored, the quotation marked, with its neighbours and its document.
import { Alert, Button, Drawer, Skeleton } from "antd";
import { useEffect, useState } from "react";

import { type Clause, type ClauseText, fetchClause, Refusal } from "../api";
import { MarkedText } from "./MarkedText";
import { Validity } from "./Validity";

/** What a citizen clicked on. */
export interface Opened {
  ref: number;
  docId: string;
  clauseId: string;
  title: string;
  quote: string;
}

interface Props {
  kb: string | null;
  opened: Opened | null;
  onClose: () => void;
}

type Loaded = { clause: Clause } | { problem: string } | null;

export function ClauseDrawer({ kb, opened, onClose }: Props): React.JSX.Element {
  const [loaded, setLoaded] = useState<Loaded>(null);
  const [attempt, setAttempt] = useState(0);

  useEffect(() => {
    setLoaded(null);
    if (!opened || kb === null) return;
    const abort = new AbortController();
    fetchClause(kb, opened.docId, opened.clauseId, abort.signal).then(
      (clause) => setLoaded({ clause }),
      (error: unknown) => {
        if (abort.signal.aborted) return;
        const problem = error instanceof Refusal ? error.message : "原文暂时无法显示，请重试。";
        setLoaded({ problem });
      },
    );
    return () => abort.abort();
  }, [kb, opened, attempt]);

  return (
    <Drawer
      open={opened !== null}
      onClose={onClose}
      size={560}
      mask={false}
      focusable={{ trap: false, focusTriggerAfterClose: true }}
      title={opened ? `原文 [${opened.ref}]` : ""}
      rootClassName="clause-drawer"
      closable={{ "aria-label": "关闭原文", placement: "end" }}
    >
      {opened && loaded === null && <Skeleton active paragraph={{ rows: 8 }} />}
      {loaded && "problem" in loaded && (
        <Alert
          type="error"
          showIcon
          title="原文未能打开"
          description={loaded.problem}
          action={<Button onClick={() => setAttempt(attempt + 1)}>重试</Button>}
        />
      )}
      {opened && loaded && "clause" in loaded && (
        <ClauseBody clause={loaded.clause} quote={opened.quote} />
      )}
    </Drawer>
  );
}

function ClauseBody({ clause, quote }: { clause: Clause; quote: string }): React.JSX.Element {
  return (
    <div className="clause">
      <h2>{clause.title}</h2>
      <p className="clause-path">{clause.path}</p>
      <dl>
        {facts(clause).map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Neighbours items={clause.before} title="上文" />
      <section className="clause-text" aria-label="引用的条款">
        <MarkedText text={clause.text} quote={quote} />
      </section>
      <Neighbours items={clause.after} title="下文" />
    </div>
  );
}

function facts(clause: Clause): [string, React.ReactNode][] {
  const rows: [string, React.ReactNode][] = [
    ["发文机关", clause.organ],
    ["文号", clause.document_number],
    ["适用地区", clause.region?.split("/").join(" ") ?? null],
    ["效力状态", <Validity status={clause.status} />],
    ["发布日期", clause.issued],
    ["施行日期", clause.effective_from],
    ["失效日期", clause.effective_to],
  ];
  return rows.filter(([, value]) => value !== null && value !== "");
}

function Neighbours({ items, title }: { items: ClauseText[]; title: string }): React.ReactNode {
  if (items.length === 0) return null;
  return (
    <section className="neighbours" aria-label={title}>
      {items.map((item) => (
        <MarkedText key={item.clause_id} text={item.text} />
      ))}
    </section>
  );
}
