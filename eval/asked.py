"""Ask one question of the answer path and gather what came: the shared half of two tasks."""

from dataclasses import dataclass

from zhengwu.agents.qa.events import Citation, Done, Question, Sentence, Status
from zhengwu.agents.qa.path import CitizenQA


@dataclass(frozen=True)
class Asked:
    """What a person would have seen of one answer."""

    status: Status
    answer: str
    sentences: tuple[Sentence, ...]
    citations: tuple[Citation, ...]
    confidence: float
    timings: dict[str, float]

    @property
    def answered(self) -> bool:
        """Whether there was an answer."""
        return self.status in (Status.ANSWERED, Status.ANSWERED_FAQ)


async def ask(path: CitizenQA, question: Question) -> Asked:
    """The outcome of one question."""
    sentences: dict[int, Sentence] = {}
    done: Done | None = None
    async for event in path.ask(question):
        if event.event == "sentence":
            sentences[event.sentence_id] = event
        elif event.event == "retract":
            for gone in event.sentence_ids:
                sentences.pop(gone, None)
        elif event.event == "done":
            done = event
    assert done is not None, "the path always ends with done"
    shown = tuple(sentences.values())
    return Asked(
        status=done.status,
        answer="".join(sentence.text for sentence in shown),
        sentences=shown,
        citations=tuple(citation for sentence in shown for citation in sentence.citations),
        confidence=done.confidence,
        timings=done.timings,
    )
