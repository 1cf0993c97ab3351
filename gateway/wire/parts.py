"""Puts the parts of the wire together; `gateway/parts.py` and the worker call it."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.gateway.wire.asked import Opens
from zhengwu.gateway.wire.batches.store import BatchStore
from zhengwu.gateway.wire.files import WireFiles
from zhengwu.gateway.wire.kept import KeptAnswers
from zhengwu.gateway.wire.responses.run import Responses
from zhengwu.gateway.wire.responses.running import Running
from zhengwu.gateway.wire.responses.store import ResponseStore
from zhengwu.jobs.queue import JobQueue


@dataclass(frozen=True)
class WireParts:
    """What the routes of the wire stand on."""

    opens: Opens
    responses: Responses
    response_store: ResponseStore
    files: WireFiles
    batches: BatchStore
    kept: KeptAnswers


def wire_parts(engine: AsyncEngine, opens: Opens) -> WireParts:
    """The real parts over one database and one way to the models."""
    store = ResponseStore(engine)
    responses = Responses(opens, store, Running(store), JobQueue(engine))
    return WireParts(
        opens, responses, store, WireFiles(engine), BatchStore(engine), KeptAnswers(engine)
    )
