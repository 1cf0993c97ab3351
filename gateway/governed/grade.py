"""The data grade (数据分级) of a request: the highest of what is declared, found, quoted, carried.

Every doubt raises the grade: nothing declared, something that cannot be looked into, a detector
that fails or is late, a session store that does not answer. Knows no upstream and opens nothing.
"""

import asyncio
import logging
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, cast

from zhengwu.errors import ZhengwuError
from zhengwu.gateway.errors import BadBody, GradeTooHigh, SecretRefused
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.contents import Contents, contents_of
from zhengwu.gateway.governed.pseudonyms import pseudonymised
from zhengwu.gateway.governed.restore import Restore
from zhengwu.gateway.governed.sessions import Sessions, session_ids, session_keys
from zhengwu.pii.detect import Finding, detect
from zhengwu.pii.finding import KIND_NAMES
from zhengwu.pii.marks import marks

HEADER = "x-data-grade"
SENSITIVE, SECRET = 3, 4
INLINE_CHARS = 20_000
"""Up to here the detector takes less time than a thread would."""

_WORD = re.compile("[A-Za-z_]{1,40}")
"""One word without a digit, as names of fields and roles are: nothing looked for is written so."""
Detects = Callable[[str], Sequence[Finding]]
_LOG = logging.getLogger(__name__)


class Restores(Protocol):
    """Puts the values back where placeholders went out."""

    def whole(self, body: bytes) -> bytes:
        """A whole JSON answer, restored."""
        ...

    def stream(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The bytes of an SSE answer, restored, also where a placeholder is cut in pieces."""
        ...


@dataclass(frozen=True)
class Graded:
    """The effective grade, why (kinds and counts, never a value), and the body that may go on.

    Where `restore` is not None, `body` is another one than the caller sent (placeholders stand
    for values): send `body`, never the bytes that came in, and give out what `restore` returns.
    """

    grade: int
    reason: str
    body: object
    restore: Restores | None = None


@dataclass(frozen=True)
class _Ground:
    """One reason for a grade."""

    grade: int
    why: str


class Grading:
    """Grades requests. One for the whole gateway."""

    def __init__(
        self, sessions: Sessions, detects: Detects = detect, timeout_s: float = 3.0
    ) -> None:
        """`timeout_s`: how long one request may be looked through before it counts as grade 3."""
        detect("读入词表")  # at start, so that the first request does not wait for it
        self._sessions = sessions
        self._detects = detects
        self._timeout_s = timeout_s

    async def grade_request(
        self,
        caller: Caller,
        declared: str | None,
        body: object,
        session: str | None = None,
        knowledge: int = 1,
    ) -> Graded:
        """Grade one request before it is reserved, recorded or sent.

        Args:
            caller: who asks.
            declared: the header `X-Data-Grade`; None where there is none.
            body: the JSON body, parsed.
            session: the header `X-Session-ID`; further names are taken from the body.
            knowledge: the highest grade of the knowledge that the request quotes.

        Raises:
            BadBody: the declaration is not a grade.
            SecretRefused: grade 4, which no model may have.
            GradeTooHigh: above the caller's ceiling.
        """
        keys = session_keys(caller, session_ids(session, body))
        seen = await self._see(caller, contents_of(body))
        grounds = [_declared(caller, declared), _Ground(knowledge, "引用的知识")]
        grounds += [await self._carried(keys), *seen.grounds]
        restore = None
        if seen.kinds:
            told = f"检出 {_told(seen.kinds)}"
            replaced = await self._replaced(caller, body, grounds)
            if replaced is None:
                grounds.append(_Ground(SENSITIVE, f"{told}，"))
            else:
                body, restore = replaced
                grounds.append(_Ground(1, f"{told}，已替换为占位符，"))
        grade = max(ground.grade for ground in grounds)
        reason = "；".join(
            f"{ground.why} {ground.grade} 级"
            for ground in grounds
            if ground.grade == grade or "占位符" in ground.why
        )
        if keys and grade > 1:
            await self._carry(keys, grade)
        _refuse(caller, grade, reason)
        return Graded(grade, reason, body, restore)

    async def remember(self, caller: Caller, ids: Iterable[str], grade: int) -> None:
        """Keep the grade of an answer that may be continued by its id (`previous_response_id`)."""
        named = [f"previous_response_id:{each}" for each in ids]
        if named and grade > 1:
            await self._carry(session_keys(caller, named), grade)

    async def _carried(self, keys: Sequence[str]) -> _Ground:
        if not keys:
            return _Ground(1, "会话")
        try:
            return _Ground(await self._sessions.grade(keys), "会话此前为")
        except (ZhengwuError, OSError, TimeoutError) as error:
            _LOG.warning("session grades cannot be read: %s", type(error).__name__)
            return _Ground(SENSITIVE, "会话记录无法读取，按")

    async def _carry(self, keys: Sequence[str], grade: int) -> None:
        """Keep a grade. Unkept it is no leak: a store that cannot be read counts as grade 3."""
        try:
            await self._sessions.carry(keys, grade)
        except (ZhengwuError, OSError, TimeoutError) as error:
            _LOG.warning("session grades cannot be kept: %s", type(error).__name__)

    async def _see(self, caller: Caller, contents: Contents) -> "_Seen":
        """What is in it. Whatever cannot be told for sure counts as sensitive."""
        grounds: list[_Ground] = []
        if contents.unread:
            told = "、".join(sorted(contents.unread))
            grounds.append(_Ground(caller.media_grade, f"含无法检查的{told}，"))
        if contents.remote:
            grounds.append(_Ground(caller.media_grade, "含须另行打开的网址，"))
        try:
            return await self._looked(contents.texts, grounds)
        except TimeoutError:
            return _Seen([*grounds, _Ground(SENSITIVE, "检测超时，按")])
        except Exception as error:  # noqa: BLE001 — fails closed, whatever it was
            _LOG.error("the detector failed: %s", type(error).__name__)
            return _Seen([*grounds, _Ground(SENSITIVE, "检测失败，按")])

    async def _looked(self, texts: Sequence[str], grounds: list[_Ground]) -> "_Seen":
        if sum(map(len, texts)) <= INLINE_CHARS:
            return self._look(texts, grounds)
        looking = asyncio.to_thread(self._look, texts, grounds)
        return await asyncio.wait_for(looking, self._timeout_s)

    def _look(self, texts: Sequence[str], grounds: list[_Ground]) -> "_Seen":
        ends = time.perf_counter() + self._timeout_s
        kinds: Counter[str] = Counter()
        met: dict[str, int] = {}
        for text in texts:
            if _WORD.fullmatch(text):
                continue
            met |= {mark.name: mark.grade for mark in marks(text)}
            kinds.update(finding.kind for finding in self._detects(text))
            if time.perf_counter() > ends:
                raise TimeoutError
        return _Seen(
            [*grounds, *(_Ground(grade, f"{name}，") for name, grade in met.items())], kinds
        )

    async def _replaced(
        self, caller: Caller, body: object, grounds: Sequence[_Ground]
    ) -> tuple[object, Restores] | None:
        """The body with placeholders, if the caller may and nothing at all is left to find."""
        if not caller.pseudonymise or any(ground.grade >= SENSITIVE for ground in grounds):
            return None
        replaced, pseudonyms = pseudonymised(body, self._detects)
        left = await self._see(caller, contents_of(replaced))
        if left.kinds or any(ground.grade >= SENSITIVE for ground in left.grounds):
            return None
        return replaced, Restore(pseudonyms, _wants_json(body))


@dataclass(frozen=True)
class _Seen:
    """What looking into a body gave: grounds of their own, and kinds of personal data."""

    grounds: list[_Ground]
    kinds: Counter[str] = field(default_factory=Counter[str])


def _told(kinds: Counter[str]) -> str:
    named = Counter({KIND_NAMES.get(kind, kind): count for kind, count in kinds.items()})
    return "、".join(f"{kind} {count} 处" for kind, count in sorted(named.items()))


def _wants_json(body: object) -> bool:
    """Whether the answer's text will be JSON itself."""
    fields = cast("dict[str, object]", body) if isinstance(body, dict) else {}
    asked = [fields.get("response_format"), fields.get("text")]
    return any(isinstance(each, dict) for each in asked)


def _declared(caller: Caller, declared: str | None) -> _Ground:
    if declared is None:
        return _Ground(caller.undeclared_grade, "未申报，按")
    if declared.strip() not in {"1", "2", "3", "4"}:
        raise BadBody(f"请求头 X-Data-Grade 的值“{declared[:20]}”无效，应为 1、2、3 或 4。")
    return _Ground(int(declared), "申报为")


def _refuse(caller: Caller, grade: int, reason: str) -> None:
    if grade >= SECRET:
        raise SecretRefused(
            f"涉密内容（4 级）不得交给任何模型，已拒绝（{reason}）。请按保密规定处理。"
        )
    if grade > caller.grade_ceiling:
        raise GradeTooHigh(
            f"本次请求为 {grade} 级数据（{reason}），超过密钥允许的 {caller.grade_ceiling} 级。"
            "请去除敏感内容，或向管理员申请提高密钥的数据分级上限。"
        )
