"""record: keep how a question ended, with personal data masked."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.agents.qa.state import State
from zhengwu.db.tables import Answer
from zhengwu.pii.detect import mask


class Record:
    """Writes one row a question."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, state: State, timings: dict[str, float]) -> None:
        """Write the row; when this returns it is on disk."""
        citations = [c.model_dump() for s in state.sentences for c in s.citations]
        values = {
            "id": state.answer_id,
            "conversation": state.conversation,
            "kb": state.question.kb,
            "region": state.question.region,
            "question": mask(state.question.text),
            "status": state.status.value if state.status else "failed",
            "reason": state.reason,
            "sentences": [mask(sentence.text) for sentence in state.sentences],
            "citations": citations,
            "grade": state.grade,
            "timings": timings,
        }
        async with self._engine.begin() as connection:
            await connection.execute(insert(Answer).values(**values))
