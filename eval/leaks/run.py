"""`eval leaks`: drive every case and count, in the outside's own log, what should not be there."""

import asyncio
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from zhengwu.eval.leaks.cases import LeakCase, written
from zhengwu.eval.report import write_run

AT_ONCE = 16
_MARKER = re.compile(r"zx\d{7}[qr]")
_NOISE = re.compile(r"[\s\u200b\-\\]")


class Drives(Protocol):
    """Sends a case through the gateway, and waits until it is over, however it ends."""

    async def send(self, case: LeakCase) -> str:
        """How it ended: `ok`, or an error's code."""
        ...


async def drive(cases: Sequence[LeakCase], drives: Drives) -> list[str]:
    """Send every case, several at once; the turns of one conversation one after the other."""
    ended = [""] * len(cases)
    gate = asyncio.Semaphore(AT_ONCE)

    async def turns(numbers: Sequence[int]) -> None:
        async with gate:
            for number in numbers:
                ended[number] = await drives.send(cases[number])

    await asyncio.gather(*(turns(group) for group in _conversations(cases)))
    return ended


def _conversations(cases: Sequence[LeakCase]) -> Iterable[list[int]]:
    groups: dict[str, list[int]] = {}
    for number, case in enumerate(cases):
        groups.setdefault(case.session or case.marker, []).append(number)
    return groups.values()


def score(
    cases: Sequence[LeakCase], ended: Sequence[str], outside: Sequence[bytes]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The scores, and a row for each leak and each public request that did not arrive."""
    known = {case.marker: case for case in cases}
    arrived: set[str] = set()
    leaks: list[dict[str, Any]] = []
    for seen in outside:
        text = _readable(seen)
        case = known.get(found[0]) if (found := _MARKER.search(text)) else None
        if case is None:
            leaks.append({"marker": None, "why": "a request that cannot be told"})
            continue
        arrived.add(case.marker)
        if case.stays or (case.value and _NOISE.sub("", case.value) in _NOISE.sub("", text)):
            leaks.append({"marker": case.marker, "fault": case.fault, "order": case.order,
                          "declared": case.declared, "stays": case.stays})  # fmt: skip
    due = [case for case in cases if case.must_arrive]
    lost = [case for case in due if case.marker not in arrived]
    scores = {
        "n": len(cases),
        "stay": sum(case.stays for case in cases),
        "pseudonymised": sum(case.pseudonymise for case in cases),
        "pseudonymised_arrived": sum(c.pseudonymise and c.marker in arrived for c in cases),
        "leaks": len(leaks),
        "due_outside": len(due),
        "arrived_outside": round(1 - len(lost) / len(due), 4) if due else None,
        "requests_outside": len(outside),
        "faults": dict(sorted(Counter(case.fault for case in cases).items())),
        "ended": dict(sorted(Counter(ended).items())),
    }
    rows = [{"leak": leak} for leak in leaks]
    return scores, rows + [{"lost": case.marker, "fault": case.fault} for case in lost]


def _readable(seen: bytes) -> str:
    """What was sent, with JSON's escapes undone as often as they were done."""
    head, _, body = seen.partition(b"\r\n\r\n")
    text = body.decode("utf-8", "replace")
    for _ in range(4):
        text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda sign: chr(int(sign[1], 16)), text)
        text = text.replace("\\\\", "\\")
    return head.decode("latin-1") + text


async def run(
    count: int, seed: int, out: Path, drives: Drives, outside: Sequence[bytes]
) -> dict[str, Any]:
    """Drive `count` cases; `outside` is the log of the closed provider's double."""
    cases = list(written(count, seed))
    scores, rows = score(cases, await drive(cases, drives), outside)
    write_run(out, "leaks", scores, rows, {"cases": count, "seed": seed}, [])
    return scores
