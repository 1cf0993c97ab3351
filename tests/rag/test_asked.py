"""Questions that clauses answer: found, taken from the bank, searched, kept in step."""

from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.rag.shelf import HashEmbedder, quiet, write

from zhengwu.datasets.asked import AskedBank, AskedLine, build_bank
from zhengwu.datasets.parse import Limits
from zhengwu.db.tables import AskedRow, Document
from zhengwu.rag.asked import Labelled, asked_of, digest_of
from zhengwu.rag.asked_index import likeness
from zhengwu.rag.fill import Filler
from zhengwu.rag.ingest import Ingestor
from zhengwu.rag.knowledge import Knowledge
from zhengwu.rag.snapshot import Request

LAW = "中华人民共和国试验租赁法"
BODY = (
    "第一条 出租人在期限内转让标的物的，不影响契约的效力。\n\n"
    "第二条 承租人逾期支付的，按日加收千分之一。\n\n"
    "第三条 本法自2020年1月1日起施行。"
)
BANK = build_bank(
    [
        AskedLine(law=LAW, article="第一条", asked=("房东把屋卖了，新东家能撵我走不？",)),
        AskedLine(law=LAW, article="第二条", asked=("晚交几天房钱要罚多少？",)),
        AskedLine(law=LAW, article="第九条", asked=("没有这一条的问题？",)),
    ]
)


async def _ingest(engine: AsyncEngine, store: Path, path: Path, bank: AskedBank = BANK) -> None:
    report = await Ingestor(engine, store, Limits(), bank).ingest("k", [path], quiet)
    assert not report.failed


async def _never() -> bool:
    return False


async def _fill(engine: AsyncEngine, store: Path) -> HashEmbedder:
    embedder = HashEmbedder()
    filler = Filler(engine, store, embedder, _never)
    while await filler.step():
        pass
    return embedder


async def test_a_lay_question_finds_the_article_that_shares_no_word_with_it(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    law = write(tmp_path / "laws", "试验租赁法.md", LAW, BODY)
    await _ingest(engine, tmp_path / "store", law)
    asked = "房东把屋卖了，新东家能撵我走吗？"
    for embedder in (None, await _fill(engine, tmp_path / "store")):
        knowledge = Knowledge(engine, tmp_path / "store", embedder)
        best = (await knowledge.search("k", Request(asked, None)))[0]
        assert best.path.endswith("第一条")
        assert best.asked is not None and best.asked.text.startswith("房东把屋卖了")
        assert best.asked.clause_id == "a1" and best.asked.similarity > 0.5


async def test_the_bank_that_changes_is_followed_without_storing_the_document_again(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    law = write(tmp_path / "laws", "试验租赁法.md", LAW, BODY)
    await _ingest(engine, tmp_path / "store", law)
    await _fill(engine, tmp_path / "store")
    line = AskedLine(law=LAW, article="第二条", asked=("拖着不给租金有啥后果？",))
    await _ingest(engine, tmp_path / "store", law, build_bank([line]))
    async with engine.connect() as connection:
        rows = (await connection.execute(select(AskedRow.text, AskedRow.embedded))).all()
        versions = (await connection.execute(select(Document.version))).scalars().all()
    assert [tuple(row) for row in rows] == [("拖着不给租金有啥后果？", False)]
    assert versions == [1]
    await _fill(engine, tmp_path / "store")
    found = await Knowledge(engine, tmp_path / "store").search("k", Request("拖着不给租金", None))
    assert found[0].path.endswith("第二条")


async def test_a_writer_killed_between_rows_and_index_does_it_again(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    law = write(tmp_path / "laws", "试验租赁法.md", LAW, BODY)

    def killed(self: Ingestor, kb: str, fresh: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ingestor, "_index_asked", killed)
        with pytest.raises(KeyboardInterrupt):
            await _ingest(engine, tmp_path / "store", law)
    await _ingest(engine, tmp_path / "store", law)
    hit = (
        await Knowledge(engine, tmp_path / "store").search("k", Request("晚交房钱罚多少", None))
    )[0]
    assert hit.path.endswith("第二条") and hit.asked is not None


def test_a_documents_own_questions_are_taken() -> None:
    clauses = [
        Labelled("h1.p1", "段", "第1段", "问：能代办吗？\n答：可以，带委托书。"),
        Labelled("h1.p2", "段", "第2段", "- 护照丢了怎么办？到派出所报失后补办。"),
        Labelled("h1.p3", "段", "第3段", "下列情形不予办理。"),
        Labelled("a1", "条", "第一条", "谁能申请？这不是问答。"),
    ]
    found = asked_of(clauses, "办事指南", "", BANK)
    assert [(one.clause_id, one.text) for one in found] == [
        ("h1.p1", "能代办吗？"),
        ("h1.p2", "护照丢了怎么办？"),
    ]


def test_questions_belong_to_one_version_of_a_law() -> None:
    line = AskedLine(law="试验法", version="2020-01-01", article="第一条", asked=("能退吗？",))
    bank = build_bank([line])
    assert bank.of("中华人民共和国试验法", "2020-01-01") == {"第一条": ["能退吗？"]}
    assert bank.of("试验法", "2010-01-01") == {}
    assert bank.of("试验法", "") == {"第一条": ["能退吗？"]}
    assert digest_of("试验法", "2020-01-01", bank) != digest_of("试验法", "2010-01-01", bank)


def test_likeness_lies_between_nothing_and_one() -> None:
    assert likeness(0.0, None) == 0.0 and likeness(1.0, 1.0) == pytest.approx(1.0)
    grid = [likeness(0.3, float(cosine)) for cosine in np.linspace(0, 1, 50)]
    assert grid == sorted(grid) and all(0 <= value <= 1 for value in grid)
