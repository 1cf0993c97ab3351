"""A small answer path and a small shelf that speak the real events, for edge tests."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date

from zhengwu.agents.qa.events import (
    Citation,
    Done,
    Event,
    NextStep,
    Question,
    Retract,
    Sentence,
    Source,
    Sources,
    Start,
    Status,
)
from zhengwu.rag.errors import UnknownClause, UnknownKnowledgeBase
from zhengwu.rag.knowledge import ClauseText, KnowledgeBase, OpenClause

LAW = "示范市居住证管理办法"
CLAUSE = (
    "申请办理居住证，应当提交下列材料：本人居民身份证、近期照片，以及居住地住址证明、"
    "就业证明或者就读证明之一。公安机关应当自受理之日起十五日内制作发放居住证。"
)
QUOTE = "公安机关应当自受理之日起十五日内制作发放居住证"
SOURCE = Source(
    ref=1,
    doc_id="办法/居住证",
    title=LAW,
    clause_id="a9",
    path=f"{LAW} › 第二章 申领 › 第九条",
    quote=QUOTE,
    organ="示范市人民政府",
    document_number="示政规〔2024〕3号",
    region="示范省/示范市",
    effective_from="2024-05-01",
)
CITATION = Citation(
    ref=1, doc_id=SOURCE.doc_id, doc=LAW, clause_id="a9", clause="第九条", quote=QUOTE
)
START = Start(answer_id="a1", conversation="c1", ai_label="本回答由人工智能生成")
HOTLINE = NextStep(kind="phone", label="政务服务便民热线", value="12345")
ANSWER: tuple[Event, ...] = (
    START,
    Sources(sources=(SOURCE,)),
    Sentence(sentence_id=1, text="居住证自受理之日起十五日内发放。", citations=(CITATION,)),
    Sentence(sentence_id=2, text=f"{QUOTE}。", citations=(CITATION,), quoted=True),
    Done(status=Status.ANSWERED, timings={"total": 12.0}),
)


@dataclass
class Scripted:
    """Gives `events` in turn, `pause_s` apart; remembers the question and whether it was left."""

    events: Sequence[Event | Exception] = ANSWER
    pause_s: float = 0.0
    hold: asyncio.Event | None = None
    """Waited for before the first sentence."""
    asked: list[Question] = field(default_factory=list[Question])
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def ask(self, question: Question) -> AsyncIterator[Event]:
        self.asked.append(question)
        if question.kb == "没有":
            raise UnknownKnowledgeBase("没有知识库“没有”；现有：starter")
        try:
            for event in self.events:
                if isinstance(event, Exception):
                    raise event
                if self.hold and isinstance(event, Sentence):
                    await self.hold.wait()
                yield event
                await asyncio.sleep(self.pause_s)
        finally:
            self.closed.set()


RETRACTED: tuple[Event, ...] = (
    *ANSWER[:3],
    Retract(sentence_ids=(1,), reason="含有不宜公开的内容。"),
    Done(
        status=Status.NO_SOURCE, reason="retracted", text="请咨询工作人员。", next_steps=(HOTLINE,)
    ),
)


@dataclass(frozen=True)
class OneShelf:
    """One knowledge base with one document."""

    async def kbs(self) -> Sequence[KnowledgeBase]:
        return [KnowledgeBase("starter", 1, 3, 2)]

    async def regions(self, kb: str) -> Sequence[str]:
        return ["示范省", "示范省/示范市"]

    async def clause(self, kb: str, doc_id: str, clause_id: str) -> OpenClause:
        if (doc_id, clause_id) != (SOURCE.doc_id, "a9"):
            raise UnknownClause(f"没有条款“{clause_id}”；请检查编号")
        return OpenClause(
            doc_id=doc_id,
            title=LAW,
            clause_id="a9",
            label="第九条",
            path=SOURCE.path,
            text=CLAUSE,
            organ=SOURCE.organ,
            document_number=SOURCE.document_number,
            region=SOURCE.region,
            status="现行有效",
            issued=date(2024, 4, 2),
            effective_from=date(2024, 5, 1),
            effective_to=None,
            before=(ClauseText("a8", "第八条", "第八条　居住登记满半年的，可以申领居住证。"),),
            after=(ClauseText("a10", "第十条", "事项 | 时限\n签注 | 每年一次"),),
        )
