"""Generations: the newest is read, old ones go with their files, and one process writes."""

import asyncio
import os
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.tables import Generation, now
from zhengwu.rag.errors import WriterBusy
from zhengwu.rag.index.generation import GRACE, newest, prune, write_lock
from zhengwu.rag.store import publish

SRC = Path(__file__).resolve().parents[3] / "src"
HOLD = """
import sys, time
from pathlib import Path
from zhengwu.rag.index.generation import write_lock
lock = write_lock(Path(sys.argv[1]), 5)
print("held", flush=True)
time.sleep(600)
"""


async def test_the_newest_of_each_kb_is_read(engine: AsyncEngine) -> None:
    async with engine.begin() as connection:
        assert await newest(connection, "a") is None
        await publish(connection, "a", 3, ["x.faiss"])
        await publish(connection, "b", 9, [])
        await publish(connection, "a", 5, ["x.faiss", "y.faiss"])
        found = await newest(connection, "a")
    assert found is not None
    assert (found.kb, found.opstamp, found.segments) == ("a", 5, ("x.faiss", "y.faiss"))


async def test_old_generations_go_with_the_files_only_they_name(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    old = (now() - 2 * GRACE).timestamp()
    for name in ("one", "two", "merged", "orphan", ".half", "fresh"):
        (tmp_path / f"{name}.faiss").touch()
        os.utime(tmp_path / f"{name}.faiss", (old, old))
    (tmp_path / "fresh.faiss").touch()
    async with engine.begin() as connection:
        await publish(connection, "k", 1, ["one.faiss"])
        await publish(connection, "k", 2, ["one.faiss", "two.faiss"])
        await publish(connection, "k", 3, ["merged.faiss"])
        await publish(connection, "other", 1, [])
        named = await prune(connection, "k", tmp_path)
        assert {path.name for path in named} == {"orphan.faiss", ".half.faiss"}
        await connection.execute(update(Generation).values(created=now() - GRACE * 2))
        unnamed = await prune(connection, "k", tmp_path)
        left = await newest(connection, "k")
        other = await newest(connection, "other")
    assert {path.name for path in unnamed} == {
        *("one.faiss", "two.faiss", "orphan.faiss", ".half.faiss")
    }
    assert left is not None and left.segments == ("merged.faiss",)
    assert other is not None


async def test_nothing_published_prunes_nothing(engine: AsyncEngine, tmp_path: Path) -> None:
    (tmp_path / "x.faiss").touch()
    async with engine.begin() as connection:
        assert await prune(connection, "k", tmp_path) == []


def test_a_second_writer_is_told_and_a_killed_one_frees_the_lock(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdout=subprocess.PIPE,
        env={"PYTHONPATH": str(SRC)},
    )
    assert holder.stdout is not None and holder.stdout.readline() == b"held\n"
    with pytest.raises(WriterBusy, match="另一进程"):
        write_lock(tmp_path, 0.2)
    holder.kill()
    holder.communicate()
    write_lock(tmp_path, 2).release()


async def test_a_lock_taken_in_a_thread_is_released_by_the_loop(tmp_path: Path) -> None:
    for _ in range(3):
        lock = await asyncio.to_thread(write_lock, tmp_path, 1)
        lock.release()


def test_one_process_has_one_writer_too(tmp_path: Path) -> None:
    held = write_lock(tmp_path, 1)
    errors: list[WriterBusy] = []

    def second() -> None:
        try:
            write_lock(tmp_path, 0.1)
        except WriterBusy as error:
            errors.append(error)

    thread = threading.Thread(target=second)
    thread.start()
    thread.join()
    held.release()
    assert len(errors) == 1


def test_grace_is_longer_than_opening_an_index() -> None:
    assert timedelta(minutes=1) <= GRACE
