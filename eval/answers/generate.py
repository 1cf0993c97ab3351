"""Ask every question of the real answer path over the workspace. Knows no metric."""

from collections.abc import AsyncIterator, Sequence

from zhengwu.agents.qa.events import Question
from zhengwu.agents.qa.path import CitizenQA
from zhengwu.eval.asked import Asked, ask
from zhengwu.eval.cached_chat import CachedChat
from zhengwu.eval.cases import Case
from zhengwu.eval.workspace import KB


async def answer_all(
    path: CitizenQA, chat: CachedChat, cases: Sequence[Case]
) -> AsyncIterator[tuple[Case, Asked, bool]]:
    """Each case with its outcome, and whether its timings are real (nothing came from a cache)."""
    for case in cases:
        chat.fresh()
        asked = await ask(path, Question(text=case.question, kb=KB))
        yield case, asked, chat.fresh()
