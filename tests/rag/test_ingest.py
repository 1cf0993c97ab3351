"""Ingestion: searchable at once, replaced with history, and whole after any kill."""

import asyncio
import shutil
import sqlite3
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.rag.shelf import HashEmbedder, ingest, quiet, write

from zhengwu.datasets.parse import Limits, ParsedDocument
from zhengwu.db.engine import open_database
from zhengwu.db.migrate import migrate
from zhengwu.db.tables import Document
from zhengwu.rag import ingest as module
from zhengwu.rag.errors import BadName, WriterBusy
from zhengwu.rag.fill import Filler
from zhengwu.rag.index.fulltext import TextReader
from zhengwu.rag.index.generation import write_lock
from zhengwu.rag.ingest import Ingestor, find_files
from zhengwu.rag.knowledge import Knowledge
from zhengwu.rag.snapshot import Request
from zhengwu.rag.store import HISTORY, LIVE, PENDING

ROOT = Path(__file__).resolve().parents[2]
DAY = date(2026, 6, 1)
STAGES = ("before_index", "before_commit", "between_commits", "before_publish", "before_removal")


async def titles(engine: AsyncEngine, store: Path, text: str, kb: str = "k") -> list[str]:
    hits = await Knowledge(engine, store).search(kb, Request(text, DAY))
    return [hit.document.title for hit in hits]


async def texts(engine: AsyncEngine, store: Path, text: str) -> str:
    hits = await Knowledge(engine, store).search("k", Request(text, DAY))
    return "\n".join(hit.text for hit in hits)


async def states(engine: AsyncEngine) -> dict[str, int]:
    async with engine.connect() as connection:
        rows = await connection.execute(
            select(Document.state, func.count()).group_by(Document.state)
        )
        return {state: count for state, count in rows}


async def test_a_new_document_is_searchable_by_text_at_once(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    write(tmp_path / "in", "a.md", "生育津贴办事指南", "女职工可以申领生育津贴，电话１２３９３。")
    write(tmp_path / "in", "b.md", "公积金提取指南", "职工可以提取住房公积金。", id="gjj-1")
    report = await ingest(engine, tmp_path / "store", tmp_path / "in")
    assert (report.added, report.failed) == (["a", "gjj-1"], {})
    assert report.chunks >= 2
    store = tmp_path / "store"
    assert (await titles(engine, store, "怎麼申領生育津貼？"))[0] == "生育津贴办事指南"
    assert (await titles(engine, store, "住 房 公 积 金"))[0] == "公积金提取指南"
    assert (await titles(engine, store, "12393"))[0] == "生育津贴办事指南"


async def test_every_format_goes_in(engine: AsyncEngine, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write(folder, "深 处/一.md", "一号", "灯塔甲")
    (folder / "二.txt").write_text("二号文件\n\n灯塔乙", encoding="gb18030")
    page = "<html><title>三号</title><body><h1>三号</h1><p>灯塔丙</p></body></html>"
    (folder / "三.HTML").write_text(page, encoding="utf-8")
    (folder / "图.png").write_bytes(b"\x89PNG")
    (folder / ".隐藏.md").write_text("灯塔丁", encoding="utf-8")
    report = await ingest(engine, tmp_path / "store", folder)
    assert len(report.added) == 3 and not report.failed
    assert "深 处·一" in report.added
    assert len(await titles(engine, tmp_path / "store", "灯塔")) == 3


async def test_unchanged_files_are_left_alone(engine: AsyncEngine, tmp_path: Path) -> None:
    path = write(tmp_path, "a.md", "甲办法", "内容")
    await ingest(engine, tmp_path / "store", path)
    report = await ingest(engine, tmp_path / "store", path)
    assert (report.unchanged, report.added, report.replaced) == (["a"], [], [])
    assert await states(engine) == {LIVE: 1}


async def test_replacing_keeps_history(engine: AsyncEngine, tmp_path: Path) -> None:
    store = tmp_path / "store"
    await ingest(engine, store, write(tmp_path, "a.md", "甲办法", "补贴旧标准一百元。"))
    report = await ingest(engine, store, write(tmp_path, "a.md", "甲办法", "补贴新标准二百元。"))
    assert report.replaced == ["a"]
    assert await states(engine) == {LIVE: 1, HISTORY: 1}
    found = await texts(engine, store, "补贴标准")
    assert "二百元" in found and "一百元" not in found
    assert TextReader(store / "k").documents() == {2}
    # Back to the first text: a third version, not a resurrection.
    await ingest(engine, store, write(tmp_path, "a.md", "甲办法", "补贴旧标准一百元。"))
    assert await states(engine) == {LIVE: 1, HISTORY: 2}
    assert "一百元" in await texts(engine, store, "补贴标准")


async def test_a_broken_file_never_stops_a_batch(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    for n in range(3):
        write(folder, f"ok{n}.md", f"第{n}号办法", f"灯塔{n}")
    (folder / "empty.md").touch()
    (folder / "zip.docx").write_bytes(b"PK\x03\x04 not really")
    (folder / "half.pdf").write_bytes(b"%PDF-1.7\n%%EOF")
    (folder / "bytes.txt").write_bytes(b"\x00\xff\xfe\x01" * 50)
    write(folder, "organ.md", "长机关", "灯塔", department="局" * 300)
    write(folder, "bug.md", "触发缺陷", "灯塔")
    real = module.parse

    def parse(path: Path, limits: Limits) -> ParsedDocument:
        if path.name == "bug.md":
            raise RecursionError("too deep")
        return real(path, limits)

    monkeypatch.setattr(module, "parse", parse)
    gone = tmp_path / "没有.md"
    report = await ingest(engine, tmp_path / "store", folder, gone)
    assert sorted(report.added)[-3:] == ["ok0", "ok1", "ok2"]
    failed = {Path(path).name for path in report.failed}
    assert {"empty.md", "zip.docx", "half.pdf", "organ.md", "bug.md", "没有.md"} <= failed
    assert all(reason for reason in report.failed.values())
    assert "RecursionError" in report.failed[str(folder / "bug.md")]
    assert len(await titles(engine, tmp_path / "store", "灯塔")) >= 3


async def test_text_that_databases_dislike(engine: AsyncEngine, tmp_path: Path) -> None:
    body = "灯塔\x00控制\x07字符\u2028与𠀀生僻字😀以及\ufffe非字符"
    report = await ingest(engine, tmp_path / "s", write(tmp_path, "a.md", "怪字\x00办法", body))
    assert report.added == ["a"], report.failed
    assert "𠀀生僻字😀" in await texts(engine, tmp_path / "s", "灯塔")


async def test_two_files_of_one_id_are_told_apart_across_batches(
    engine: AsyncEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BATCH", 1)
    write(tmp_path / "in", "a.md", "甲", "第一份", id="same")
    write(tmp_path / "in", "b.md", "乙", "第二份", id="same")
    reports = [await ingest(engine, tmp_path / "store", tmp_path / "in") for _ in range(2)]
    for report in reports:
        assert list(report.failed) == [str(tmp_path / "in/b.md")]
        assert "same" in next(iter(report.failed.values()))
    assert reports[1].unchanged == ["same"]


async def test_progress_is_told_to_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    await migrate(engine)
    monkeypatch.setattr(module, "BATCH", 2)
    for n in range(5):
        write(tmp_path / "in", f"{n}.md", f"{n}号", "内容")
    told: list[tuple[int, int]] = []
    ingestor = Ingestor(engine, tmp_path / "store", Limits())
    await ingestor.ingest("k", [tmp_path / "in"], lambda d, t, last: told.append((d, t)))
    assert told == [(2, 5), (4, 5), (5, 5)]
    await engine.dispose()


async def test_a_newer_title_supersedes_the_older(engine: AsyncEngine, tmp_path: Path) -> None:
    write(tmp_path / "in", "old.md", "甲条例", "灯塔旧文", effective_from="2010-01-01")
    write(tmp_path / "in", "new.md", "甲条例", "灯塔新文", effective_from="2020-01-01")
    await ingest(engine, tmp_path / "store", tmp_path / "in")
    knowledge = Knowledge(engine, tmp_path / "store")

    async def on(day: date | None) -> list[str]:
        hits = await knowledge.search("k", Request("灯塔", day))
        return sorted(hit.document.doc_id for hit in hits)

    assert await on(date(2019, 12, 31)) == ["old"]
    assert await on(date(2020, 1, 1)) == ["new"]
    assert await on(date(2009, 1, 1)) == []
    assert await on(None) == ["new", "old"]


@pytest.mark.parametrize("kb", ["", "../x", "a/b", "a.b", "x" * 65, "库 名"])
async def test_a_kb_name_that_is_no_folder_is_refused(kb: str, tmp_path: Path) -> None:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    with pytest.raises(BadName):
        await ingest(engine, tmp_path / "store", tmp_path, kb=kb)
    assert not (tmp_path / "store").exists()


async def test_a_second_writer_is_refused_and_loses_nothing(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    path = write(tmp_path, "a.md", "甲", "灯塔")
    lock = write_lock(tmp_path / "store", 1)
    with pytest.raises(WriterBusy):
        await ingest(engine, tmp_path / "store", path)
    assert await states(engine) == {}
    waiting = asyncio.create_task(
        Ingestor(engine, tmp_path / "store", Limits()).ingest("k", [path], quiet, wait_s=30)
    )
    await asyncio.sleep(0.1)
    lock.release()  # the loop was not blocked, so the lock can be given back
    assert (await waiting).added == ["a"]


def kill_in_the_middle(url: str, store: Path, path: Path, stage: str) -> None:
    script = Path(__file__).with_name("killed_writer.py")
    killed = subprocess.run(
        [sys.executable, str(script), url, str(store), str(path), stage],
        env={"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -9, killed.stderr.decode()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("fill", [False, True], ids=["text", "vectors"])
async def test_killed_at_any_stage_nothing_is_half_visible_or_lost(
    tmp_path: Path, stage: str, fill: bool
) -> None:
    url, store = f"sqlite+aiosqlite:///{tmp_path / 'x.db'}", tmp_path / "store"
    engine = open_database(url)
    await migrate(engine)
    await ingest(engine, store, write(tmp_path, "a.md", "甲办法", "补贴标准：一百元。"))
    if fill:
        await fill_all(engine, store)
    newer = write(tmp_path / "in", "a.md", "甲办法", "补贴标准：二百元。")
    write(tmp_path / "in", "b.md", "乙办法", "补贴标准：三百元。")
    kill_in_the_middle(url, store, tmp_path / "in", stage)

    shown = await texts(engine, store, "补贴标准")
    if stage == "before_removal":
        assert "二百元" in shown and "三百元" in shown and "一百元" not in shown
    else:
        assert "一百元" in shown and "二百元" not in shown and "三百元" not in shown

    # Something else is ingested first: the old state is kept whole.
    other = write(tmp_path, "c.md", "丙办法", "补贴标准：四百元。")
    await ingest(engine, store, other)
    shown = await texts(engine, store, "补贴标准")
    assert "四百元" in shown
    assert ("一百元" in shown) is (stage != "before_removal")
    assert PENDING not in await states(engine)

    report = await ingest(engine, store, tmp_path / "in")
    assert not report.failed
    shown = await texts(engine, store, "补贴标准")
    assert all(amount in shown for amount in ("二百元", "三百元", "四百元"))
    assert "一百元" not in shown
    assert await states(engine) == {LIVE: 3, HISTORY: 1}
    assert len(TextReader(store / "k").documents()) == 3
    assert newer.exists()
    await engine.dispose()


@pytest.mark.postgres
@pytest.mark.parametrize("stage", ["before_publish", "before_removal"])
async def test_killed_beside_either_database(
    engine: AsyncEngine, database_url: str, tmp_path: Path, stage: str
) -> None:
    store, path = tmp_path / "store", write(tmp_path / "in", "a.md", "甲", "灯塔旧")
    await ingest(engine, store, path)
    write(tmp_path / "in", "a.md", "甲", "灯塔新")
    kill_in_the_middle(database_url, store, tmp_path / "in", stage)
    await ingest(engine, store, tmp_path / "in")
    assert await states(engine) == {LIVE: 1, HISTORY: 1}
    shown = await texts(engine, store, "灯塔")
    assert "灯塔新" in shown and "灯塔旧" not in shown


async def fill_all(engine: AsyncEngine, store: Path) -> None:
    filler = Filler(engine, store, HashEmbedder(), never)
    while await filler.step():
        pass


async def never() -> bool:
    return False


@pytest.mark.parametrize("lost", ["everything", "documents", "vectors"])
async def test_an_index_that_was_deleted_is_rebuilt_from_the_database(
    tmp_path: Path, lost: str
) -> None:
    engine = open_database(f"sqlite+aiosqlite:///{tmp_path / 'x.db'}")
    await migrate(engine)
    store = tmp_path / "store"
    path = write(tmp_path, "a.md", "甲办法", "补贴标准：一百元。")
    await ingest(engine, store, path)
    await fill_all(engine, store)
    shutil.rmtree(store / "k" if lost == "everything" else store / "k" / lost)
    report = await ingest(engine, store, path)
    assert report.unchanged == ["a"]
    assert "一百元" in await texts(engine, store, "补贴标准")
    await fill_all(engine, store)
    (kb,) = await Knowledge(engine, store).kbs()
    assert kb.embedded == kb.chunks == 1
    await engine.dispose()
    assert sqlite3.connect(tmp_path / "x.db").execute("PRAGMA integrity_check").fetchone() == (
        "ok",
    )


def test_files_of_folders_and_single_files(tmp_path: Path) -> None:
    write(tmp_path, "b/乙.md", "乙", "x")
    write(tmp_path, "甲.MD", "甲", "x")
    (tmp_path / "x.exe").touch()
    single = tmp_path / "x.exe"
    assert [name for _, name in find_files([tmp_path, single])] == ["b/乙.md", "甲.MD", "x.exe"]
