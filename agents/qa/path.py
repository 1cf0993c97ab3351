"""The whole answer path of a citizen's question, as one list that can be read aloud.

A step takes the state and an `emit` for events and returns a changed state; one that sets a status
ends the path. Rewriting comes after a first search, not before it: the sources must go out within
300 ms, and most questions need no second look (docs/adr/0005-answer-path.md).
"""

import asyncio
import logging
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.agents.qa.chat import Chat
from zhengwu.agents.qa.events import Done, Event, Question, Sentence, Sources, Start, Status
from zhengwu.agents.qa.judge import Judge
from zhengwu.agents.qa.replies import ai_label, reply
from zhengwu.agents.qa.state import Emit, State
from zhengwu.agents.qa.steps.answer import Answer, VerifyCitations
from zhengwu.agents.qa.steps.faq import Faq
from zhengwu.agents.qa.steps.find import Retrieve, Rewrite, Route
from zhengwu.agents.qa.steps.guard import detect_grade, guard_input, guard_output
from zhengwu.agents.qa.steps.judge import JudgeAnswerable, decide, is_answerable
from zhengwu.agents.qa.steps.record import Record
from zhengwu.models.errors import ModelError
from zhengwu.rag.knowledge import Knowledge
from zhengwu.tracing import span

log = logging.getLogger(__name__)

Step = Callable[[State, Emit], Awaitable[State]]


def answer_path(knowledge: Knowledge, chat: Chat, model: str) -> tuple[tuple[str, Step], ...]:
    """The steps, in order, with their names."""
    retrieve = Retrieve(knowledge)
    judge = JudgeAnswerable(knowledge, Judge(chat, model))
    return (
        ("guard_input", guard_input),
        ("detect_grade", detect_grade),
        ("route", Route(knowledge)),
        ("retrieve", retrieve),
        ("faq", Faq(knowledge)),
        ("judge_answerable", judge),
        ("rewrite", unless_answerable(Rewrite(chat, model))),
        ("retrieve_again", unless_answerable(retrieve)),
        ("judge_again", unless_answerable(judge)),
        ("decide", decide),
        ("answer", Answer(chat, model)),
        ("verify_citations", VerifyCitations(knowledge)),
    )


def citizen_qa(engine: AsyncEngine, knowledge: Knowledge, chat: Chat, model: str) -> "CitizenQA":
    """The whole path, recording into `engine`."""
    return CitizenQA(answer_path(knowledge, chat, model), Record(engine))


class CitizenQA:
    """Takes a question through the steps and tells what happens as events."""

    def __init__(self, steps: tuple[tuple[str, Step], ...], record: Record) -> None:
        self._steps = steps
        self._record = record

    async def ask(self, question: Question) -> AsyncGenerator[Event]:
        """The events of one question: `start` first, `done` last.

        Closing the generator ends the work, also at the model.

        Raises:
            UnknownKnowledgeBase, UnknownRegion, BadQuestion: before any event.
        """
        run = _Run(self._steps, self._record, question)
        task = asyncio.create_task(run.walk())
        try:
            while (event := await run.events.get()) is not None:
                yield event
            await task
        finally:
            task.cancel()
            # Until the model's call has really ended; what it raised was raised above.
            await asyncio.gather(task, return_exceptions=True)


class _Run:
    """One question on its way."""

    def __init__(
        self, steps: tuple[tuple[str, Step], ...], record: Record, question: Question
    ) -> None:
        self.events: asyncio.Queue[Event | None] = asyncio.Queue()
        self._steps = steps
        self._record = record
        self._started = time.monotonic()
        self._timings: dict[str, float] = {}
        self._begun = False
        conversation = question.conversation or uuid.uuid4().hex
        self._state = State(question, uuid.uuid4().hex, conversation)

    async def walk(self) -> None:
        """Run the steps, record the end, and close the stream whatever happens."""
        try:
            await self._end(await self._through_steps(self._state))
        finally:
            self.events.put_nowait(None)

    async def _through_steps(self, state: State) -> State:
        for name, step in self._steps:
            before = time.monotonic()
            try:
                with span(f"qa.{name}"):
                    state = await step(state, self._emit)
            except ModelError as error:
                log.warning("step %s failed: %s", name, error)
                return state.ends(Status.FAILED, str(error))
            self._timings[name] = _since(before)
            if state.status is not None:
                break
        return await guard_output(state, self._emit) if state.sentences else state

    async def _end(self, state: State) -> None:
        status = state.status or Status.FAILED
        self._timings["total"] = _since(self._started)
        await self._record(state, self._timings)
        canned = reply(status)
        self._emit(
            Done(
                status=status,
                reason=state.reason,
                text=canned.text,
                confidence=round(state.best.verdict.probability, 4) if state.best else 0.0,
                next_steps=state.next_steps or canned.next_steps,
                timings=self._timings,
                tokens=state.tokens,
            )
        )

    def _emit(self, event: Event) -> None:
        # Not before there is something to say: a wrong knowledge base or region is an error of the
        # request, and has to come instead of a stream.
        if not self._begun:
            self._begun = True
            self._put_start()
        if isinstance(event, Sources):
            self._timings.setdefault("first_source", _since(self._started))
        if isinstance(event, Sentence):
            self._timings.setdefault("first_token", _since(self._started))
        self.events.put_nowait(event)

    def _put_start(self) -> None:
        state = self._state
        self.events.put_nowait(
            Start(answer_id=state.answer_id, conversation=state.conversation, ai_label=ai_label())
        )


def unless_answerable(step: Step) -> Step:
    """`step`, left out once a passage was found that answers."""

    async def maybe(state: State, emit: Emit) -> State:
        return state if is_answerable(state) else await step(state, emit)

    return maybe


def _since(moment: float) -> float:
    return round((time.monotonic() - moment) * 1000, 1)
