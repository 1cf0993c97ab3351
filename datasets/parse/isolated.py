"""`parse` in a process of its own: killed when its time is over, and its crash harms nobody.

For files from outside. Costs about half a second a file; our own texts are parsed in place.
"""

import multiprocessing
import resource
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

from zhengwu.datasets.errors import CorruptDocument, ParseError, ParseTimeout
from zhengwu.datasets.parse.document import ParsedDocument
from zhengwu.datasets.parse.limits import MB, Limits, check_size
from zhengwu.datasets.parse.read import parse

GRACE_S = 5.0
"""For starting Python, beyond the parser's own time."""
Plain = tuple[str, tuple[object, ...], dict[str, str], str, str]


def parse_isolated(
    path: Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    max_memory_mb: int = 4_096,
) -> ParsedDocument:
    """Read one document as `parse` does, with hard bounds of time and memory.

    Raises:
        ParseError: as `parse`; ParseTimeout when the process had to be killed, CorruptDocument
            when it died of the file.
    """
    check_size(path, limits.max_mb)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=_child, args=(theirs, path, limits, max_memory_mb), daemon=True, name="zhengwu-parse"
    )
    process.start()
    theirs.close()
    try:
        if not ours.poll(limits.seconds + GRACE_S):
            raise ParseTimeout(
                f"解析“{path.name}”超过 {limits.seconds:g} 秒，已停止。"
                "请拆分文件，或提供纯文本版本。"
            )
        outcome = ours.recv()
    except EOFError as error:
        raise CorruptDocument(
            f"“{path.name}”使解析程序异常退出，文件可能已损坏。请重新导出，或提供纯文本版本。"
        ) from error
    finally:
        ours.close()
        process.kill()
        process.join()
    if isinstance(outcome, ParseError):
        raise outcome
    title, blocks, meta, form, digest = outcome
    return ParsedDocument(title, blocks, meta, form, digest)


def _child(pipe: Connection, path: Path, limits: Limits, max_memory_mb: int) -> None:
    with suppress(ValueError, OSError):  # a lower bound set from outside stays
        resource.setrlimit(resource.RLIMIT_AS, (max_memory_mb * MB, max_memory_mb * MB))
    try:
        doc = parse(path, limits)
    except ParseError as error:
        pipe.send(error)
        return
    except MemoryError:
        pipe.send(CorruptDocument(f"解析“{path.name}”占用内存过多，已停止。请拆分后重新上传。"))
        return
    pipe.send((doc.title, doc.blocks, dict(doc.meta), doc.format, doc.digest))
