"""The reader's side: searching by region and day, opening clauses, following generations."""

import asyncio
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.rag.shelf import HashEmbedder, ingest, write

from zhengwu.rag.errors import BrokenIndex, UnknownClause, UnknownKnowledgeBase, UnknownRegion
from zhengwu.rag.fill import Filler
from zhengwu.rag.knowledge import Hit, Knowledge
from zhengwu.rag.snapshot import CANDIDATES, Request
from zhengwu.rag.validity import ENDING, IN_FORCE

DAY = date(2026, 6, 1)
LAW = """第一章 总则

第一条 为了规范灯塔管理，制定本条例。

第二条 本条例所称灯塔，是指：
（一）海上灯塔；
（二）河道灯塔。

第二章 罚则

第三条 违反本条例的，处一百元以上罚款。

第四条 本条例由灯塔局解释。

第五条 本条例自2020年1月1日起施行。
"""


async def found(knowledge: Knowledge, text: str, region: str | None = None) -> list[str]:
    hits = await knowledge.search("k", Request(text, DAY, region))
    return [hit.document.doc_id for hit in hits]


async def never() -> bool:
    return False


@pytest.fixture
async def shelf(engine: AsyncEngine, tmp_path: Path) -> Knowledge:
    """Documents of the nation, a province, two cities and no stated region."""
    folder = tmp_path / "in"
    write(folder, "law.md", "灯塔条例", LAW, region="示范省", document_number="示令第1号")
    write(folder, "city.md", "灯塔补贴办法", "灯塔补贴每年一百元。", region="示范省/示范市")
    write(folder, "other.md", "灯塔补贴细则", "灯塔补贴每年二百元。", region="示范省/邻市")
    write(folder, "anywhere.md", "灯塔常识", "灯塔是用来照明的。")
    write(folder, "tz.md", "泰州市灯塔办法", "灯塔补贴每年三百元。")
    write(
        folder,
        "ended.md",
        "灯塔临时措施",
        "灯塔减免。",
        effective_from="2020-01-01",
        effective_to="2020-12-31",
    )
    write(folder, "ending.md", "灯塔试行办法", "灯塔试行。", effective_to="2026-06-30")
    write(folder, "future.md", "灯塔新规", "灯塔收费。", effective_from="2027-01-01")
    report = await ingest(engine, tmp_path / "store", folder)
    assert not report.failed
    return Knowledge(engine, tmp_path / "store")


async def test_a_region_sees_what_applies_there(shelf: Knowledge) -> None:
    city = await found(shelf, "灯塔补贴", "示范省/示范市")
    assert {"law", "city", "anywhere"} <= set(city)
    assert not {"other", "tz"} & set(city)
    assert set(await found(shelf, "灯塔", "示范省")) == {"law", "anywhere", "ending"}
    assert "other" in await found(shelf, "灯塔补贴", "示范省/邻市")
    assert set(await found(shelf, "灯塔", "")) == {"anywhere", "ending"}
    assert {"city", "other", "tz"} <= set(await found(shelf, "灯塔补贴"))
    assert "tz" in await found(shelf, "灯塔补贴", "江苏省/泰州市")


async def test_a_place_in_the_question_counts(shelf: Knowledge) -> None:
    assert (await found(shelf, "泰州灯塔补贴"))[0] == "tz"
    hits = await shelf.search("k", Request("邻市灯塔补贴", DAY))
    parts = {hit.document.doc_id: hit.scores.region_part for hit in hits}
    assert parts["other"] == 0 and parts["law"] == 0
    assert parts["city"] < 0 and parts["tz"] < 0


async def test_a_day_sees_what_is_in_force(shelf: Knowledge) -> None:
    async def on(day: date) -> dict[str, str]:
        hits = await shelf.search("k", Request("灯塔", day, top=50))
        return {hit.document.doc_id: hit.status for hit in hits}

    today = await on(DAY)
    assert "ended" not in today and "future" not in today
    assert today["ending"] == ENDING and today["law"] == IN_FORCE
    assert "ended" in await on(date(2020, 6, 1))
    assert "future" in await on(date(2027, 1, 1))
    assert "ending" not in await on(date(2026, 7, 1))
    assert "law" not in await on(date(2019, 12, 31))


async def test_unknown_names_are_told_with_the_known_ones(shelf: Knowledge) -> None:
    with pytest.raises(UnknownKnowledgeBase, match=r"“无”.*k.*kb ingest"):
        await shelf.search("无", Request("灯塔", DAY))
    with pytest.raises(UnknownRegion, match=r"“火星市”.*示范省/示范市"):
        await shelf.search("k", Request("灯塔", DAY, "火星市"))
    with pytest.raises(UnknownRegion):
        await shelf.search("k", Request("灯塔", DAY, "示范市"))
    assert await shelf.regions("k") == [
        "江苏省/泰州市",
        "示范省",
        "示范省/示范市",
        "示范省/邻市",
    ]


async def test_no_knowledge_base_at_all(engine: AsyncEngine, tmp_path: Path) -> None:
    knowledge = Knowledge(engine, tmp_path / "store")
    assert await knowledge.kbs() == []
    with pytest.raises(UnknownKnowledgeBase, match="还没有"):
        await knowledge.search("k", Request("灯塔", DAY))


@pytest.mark.parametrize("text", ["", "？？？", "怎么办", "\x00", "zzz不存在的词qqq" * 200])
async def test_a_question_without_a_subject_finds_nothing_or_little(
    shelf: Knowledge, text: str
) -> None:
    assert len(await shelf.search("k", Request(text, DAY))) <= 10


async def test_the_top_is_cut(shelf: Knowledge) -> None:
    assert len(await shelf.search("k", Request("灯塔", DAY, top=2))) == 2


async def test_others_documents_do_not_crowd_out_a_regions_own(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    for n in range(CANDIDATES + 20):
        write(tmp_path / "in", f"{n}.md", f"灯塔补贴{n}", "灯塔补贴标准。", region="甲省/乙市")
    body = "本市对公共设施给予扶持，其中包括灯塔等。" + "其他规定另行公布。" * 20
    write(tmp_path / "in", "own.md", "公共设施办法", body, region="甲省/丙市")
    await ingest(engine, tmp_path / "store", tmp_path / "in")
    knowledge = Knowledge(engine, tmp_path / "store")
    assert await found(knowledge, "灯塔补贴标准", "甲省/丙市") == ["own"]


async def test_clauses_open_with_their_neighbours(shelf: Knowledge) -> None:
    opened = await shelf.clause("k", "law", "a3")
    assert (opened.title, opened.label, opened.document_number) == (
        "灯塔条例",
        "第三条",
        "示令第1号",
    )
    assert opened.text == "违反本条例的，处一百元以上罚款。"
    assert opened.path == "灯塔条例 › 第二章 罚则 › 第三条"
    assert [clause.clause_id for clause in opened.before] == ["a1", "a2"]
    assert [clause.clause_id for clause in opened.after] == ["a4", "a5"]
    assert (opened.region, opened.effective_from) == ("示范省", date(2020, 1, 1))
    item = await shelf.clause("k", "law", "a2.k1.x2")
    assert item.text.endswith("河道灯塔。")
    assert [clause.clause_id for clause in item.before] == ["a2.k1.x1"]


async def test_unknown_clauses_are_told(shelf: Knowledge) -> None:
    with pytest.raises(UnknownClause, match="“none”"):
        await shelf.clause("k", "none", "a1")
    with pytest.raises(UnknownClause, match="“a99”"):
        await shelf.clause("k", "law", "a99")
    with pytest.raises(UnknownClause):
        await shelf.clause("other", "law", "a1")


async def test_every_chunks_words_are_its_clauses(shelf: Knowledge) -> None:
    hits = await shelf.search("k", Request("灯塔条例规定罚款解释", DAY, "示范省", top=50))
    laws = [hit for hit in hits if hit.document.doc_id == "law"]
    assert laws
    for hit in laws:
        for clause_id in hit.clause_ids:
            await shelf.clause("k", "law", clause_id)
        stored = await shelf.clauses(hit)
        assert {clause.clause_id for clause in stored} >= set(hit.clause_ids)
        assert len({clause.clause_id for clause in stored}) == len(stored)


async def test_a_new_generation_is_read_and_an_open_one_stays(
    engine: AsyncEngine, tmp_path: Path, shelf: Knowledge
) -> None:
    before = await shelf.snapshot("k")
    assert await shelf.snapshot("k") is before, "opened once"
    path = write(
        tmp_path, "city.md", "灯塔补贴办法", "灯塔补贴改为五百元。", region="示范省/示范市"
    )
    await ingest(engine, tmp_path / "store", path)
    after = await shelf.snapshot("k")
    assert after.generation > before.generation
    hits: list[Hit] = await shelf.search("k", Request("灯塔补贴", DAY, "示范省/示范市"))
    city = [hit.text for hit in hits if hit.document.doc_id == "city"]
    assert len(city) == 1 and "五百元" in city[0]
    old = before.search(Request("灯塔补贴", DAY, "示范省/示范市"), None)
    assert "city" in {ranked.document.doc_id for ranked in old}


async def test_many_readers_while_documents_come_in(
    engine: AsyncEngine, tmp_path: Path, shelf: Knowledge
) -> None:
    done = asyncio.Event()

    async def read() -> int:
        rounds = 0
        while not done.is_set():
            hits = await shelf.search("k", Request("灯塔补贴", DAY, "示范省/示范市"))
            texts = [hit.text for hit in hits if hit.document.doc_id == "city"]
            assert len(texts) == 1, "one version, never none and never two"
            rounds += 1
        return rounds

    readers = [asyncio.create_task(read()) for _ in range(3)]
    for n in range(4):
        path = write(
            tmp_path, "city.md", "灯塔补贴办法", f"灯塔补贴{n}百元。", region="示范省/示范市"
        )
        await ingest(engine, tmp_path / "store", path)
    done.set()
    assert all(await asyncio.gather(*readers))


async def test_vectors_find_what_words_do_not(
    engine: AsyncEngine, tmp_path: Path, shelf: Knowledge
) -> None:
    embedder = HashEmbedder()
    await Filler(engine, tmp_path / "store", embedder, never).step()
    knowledge = Knowledge(engine, tmp_path / "store", embedder)
    asked = Request("照明用途", DAY)
    hits = await knowledge.search("k", asked)
    assert hits and all(hit.scores.cosine is not None for hit in hits)
    text_only = await knowledge.search("k", asked, use_vectors=False)
    assert all(hit.scores.vector_part == 0 for hit in text_only)
    assert len(hits) > len(text_only)


async def test_without_vectors_the_order_is_full_texts(shelf: Knowledge) -> None:
    with_embedder = Knowledge(shelf._engine, shelf._folder, HashEmbedder())  # pyright: ignore[reportPrivateUsage]
    asked = Request("灯塔补贴标准", DAY)
    assert await with_embedder.search("k", asked) == await shelf.search("k", asked)


async def test_a_lost_vector_file_is_told_with_the_remedy(
    engine: AsyncEngine, tmp_path: Path, shelf: Knowledge
) -> None:
    await Filler(engine, tmp_path / "store", HashEmbedder(), never).step()
    for file in (tmp_path / "store/k/vectors").glob("*.faiss"):
        file.unlink()
    with pytest.raises(BrokenIndex, match="kb ingest"):
        await shelf.search("k", Request("灯塔", DAY))


async def test_kbs_are_listed_with_their_progress(
    engine: AsyncEngine, tmp_path: Path, shelf: Knowledge
) -> None:
    await ingest(engine, tmp_path / "store", write(tmp_path, "x.md", "另一份", "内容"), kb="另库")
    listed = {kb.name: kb for kb in await shelf.kbs()}
    assert listed.keys() == {"k", "另库"}
    assert (listed["k"].documents, listed["k"].embedded) == (8, 0)
    assert (listed["另库"].documents, listed["另库"].chunks) == (1, 1)
