"""The responses that this process writes now, so that a request elsewhere can stop them."""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Protocol

LOOK_S = 1.0


class Cancelled(Protocol):
    """Tells which responses were cancelled, by whichever gateway."""

    async def cancelled(self, ids: Sequence[str]) -> Sequence[str]:
        """Those of `ids` that shall stop."""
        ...


class Stop:
    """Whether one response shall stop; the task that writes it is cancelled then."""

    def __init__(self, task: asyncio.Task[object] | None) -> None:
        self._task = task
        self.asked = False

    def set(self) -> None:
        """Stop it."""
        if self._task and not self.asked:
            self.asked = True
            self._task.cancel()

    def taken(self) -> bool:
        """Whether a cancellation of this task was this stop; it is over then."""
        if self.asked and self._task:
            self._task.uncancel()
        return self.asked


class Running:
    """Watches the table once a second for all responses together, while there are any."""

    def __init__(self, store: Cancelled, look_s: float = LOOK_S) -> None:
        self._store = store
        self._look_s = look_s
        self._stops: dict[str, Stop] = {}
        self._watch: asyncio.Task[None] | None = None

    @contextmanager
    def writing(self, response_id: str) -> Generator[Stop]:
        """Name the present task as the writer of `response_id`."""
        stop = self._stops[response_id] = Stop(asyncio.current_task())
        if self._watch is None:
            self._watch = asyncio.create_task(self._look())
        try:
            yield stop
        finally:
            del self._stops[response_id]
            if not self._stops and self._watch:
                self._watch.cancel()
                self._watch = None

    def stop(self, response_id: str) -> None:
        """Stop a response at once, if it is written here."""
        if stop := self._stops.get(response_id):
            stop.set()

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            for response_id in await self._store.cancelled([*self._stops]):
                self.stop(response_id)
