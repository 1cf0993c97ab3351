"""An ingestion that kills itself at one stage of `_write`: `… DATABASE STORE FILE STAGE`."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zhengwu.datasets.parse import Limits
from zhengwu.db.engine import open_database
from zhengwu.rag import ingest, store
from zhengwu.rag.index.fulltext import CHUNKS, TextWriter


def die(*_: object, **__: object) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def before_index() -> None:
    ingest.Ingestor._index = die  # pyright: ignore[reportPrivateUsage]


def before_commit() -> None:
    TextWriter.commit = die


def between_commits() -> None:
    def half(self: TextWriter) -> int:
        self._writers[CHUNKS].commit()  # pyright: ignore[reportPrivateUsage]
        return die()

    TextWriter.commit = half


def before_publish() -> None:
    store.publish = die


def before_removal() -> None:
    TextWriter.remove = lambda self, documents: die() if documents else None


STAGES: dict[str, Callable[[], None]] = {
    stage.__name__: stage
    for stage in (before_index, before_commit, between_commits, before_publish, before_removal)
}


async def main(url: str, folder: str, path: str) -> None:
    engine = open_database(url)
    ingestor = ingest.Ingestor(engine, Path(folder), Limits())
    await ingestor.ingest("k", [Path(path)], lambda done, total, last: None)


if __name__ == "__main__":
    STAGES[sys.argv[4]]()
    asyncio.run(main(*sys.argv[1:4]))
