"""Who is next at a busy upstream: citizens before staff before batch, tenants in turn.

Within a priority the tenants share by deficit round robin over tokens
(https://doi.org/10.1145/217391.217453). Knows calls and slots; opens nothing itself.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic

from zhengwu.models.errors import DeadlinePassed, UpstreamBusy
from zhengwu.models.upstream import Call, Opens, Reply, Upstream

QUANTUM = 1_000
"""Tokens a tenant may take in its turn."""
DEAREST = 32 * QUANTUM
"""No call counts for more, so that finding the next one stays quick."""
MOST_WAITING = 4096
LATE = "请求已超过时限，没有再发给模型"


@dataclass(slots=True)
class _Waiter:
    cost: int
    turn: asyncio.Future[None]


@dataclass(slots=True)
class _Tenant:
    waiters: deque[_Waiter] = field(default_factory=deque[_Waiter])
    deficit: int = 0


class _Class:
    """The waiting calls of one priority."""

    def __init__(self) -> None:
        self.tenants: OrderedDict[str, _Tenant] = OrderedDict()

    def put(self, name: str, waiter: _Waiter) -> None:
        self.tenants.setdefault(name, _Tenant()).waiters.append(waiter)

    def next(self) -> _Waiter | None:
        """Take the next one out; None if nobody waits."""
        while self.tenants:
            name, tenant = next(iter(self.tenants.items()))
            while tenant.waiters and tenant.waiters[0].turn.done():
                tenant.waiters.popleft()  # left, or was sent away
            if not tenant.waiters:
                del self.tenants[name]
            elif tenant.waiters[0].cost <= tenant.deficit:
                waiter = tenant.waiters.popleft()
                tenant.deficit -= waiter.cost
                return waiter
            else:
                tenant.deficit += QUANTUM
                self.tenants.move_to_end(name)
        return None

    def newest(self) -> _Waiter | None:
        """The one who came last of the tenant with most waiting."""
        longest = max(self.tenants.values(), key=lambda each: len(each.waiters), default=_Tenant())
        return next((each for each in reversed(longest.waiters) if not each.turn.done()), None)


class _Line:
    """One upstream's slots and the calls that wait for one."""

    def __init__(self, slots: int, most: int) -> None:
        self.slots, self.most = slots, most
        self.busy = self.waiting = 0
        self._classes: dict[int, _Class] = {}

    async def enter(self, upstream: Upstream, call: Call) -> None:
        if self.busy < self.slots and not self.waiting:
            self.busy += 1
            return
        if self.waiting >= self.most:
            self._make_room(upstream, call.priority)
        turn = asyncio.get_running_loop().create_future()
        waiter = _Waiter(min(max(call.tokens, 1), DEAREST), turn)
        self._classes.setdefault(call.priority, _Class()).put(call.tenant, waiter)
        self.waiting += 1
        self._call_next()
        left_s = None if call.deadline is None else max(call.deadline - monotonic(), 0.0)
        try:
            async with asyncio.timeout(left_s):
                await turn
        except TimeoutError as error:
            self._give_back(turn)
            raise DeadlinePassed(LATE) from error
        except asyncio.CancelledError:
            self._give_back(turn)
            raise
        finally:
            self.waiting -= 1

    def leave(self) -> None:
        self.busy -= 1
        self._call_next()

    def _give_back(self, turn: asyncio.Future[None]) -> None:
        """The waiter stopped waiting; its turn, if it just came, is the next one's."""
        if turn.done() and not turn.cancelled() and turn.exception() is None:
            self.leave()
        turn.cancel()

    def _call_next(self) -> None:
        while self.busy < self.slots:
            for priority in sorted(self._classes):
                if waiter := self._classes[priority].next():
                    self.busy += 1
                    waiter.turn.set_result(None)
                    break
            else:
                return

    def _make_room(self, upstream: Upstream, priority: int) -> None:
        for lower in sorted(self._classes, reverse=True):
            if lower <= priority:
                break
            if waiter := self._classes[lower].newest():
                waiter.turn.set_exception(_full(upstream))
                return
        raise _full(upstream)


def _full(upstream: Upstream) -> UpstreamBusy:
    error = UpstreamBusy(f"等待上游“{upstream.name}”的请求已满，请稍后重试")
    error.wait_s = 2.0
    return error


class Queued:
    """Lets an upstream work on so many calls as it has slots, around an `Opens`."""

    def __init__(self, opens: Opens, most_waiting: int = MOST_WAITING) -> None:
        """`most_waiting`: how many calls may wait for one upstream."""
        self._opens = opens
        self._most = most_waiting
        self._lines: dict[tuple[str, str], _Line] = {}
        self._names: dict[tuple[str, str], str] = {}

    @asynccontextmanager
    async def open(self, upstream: Upstream, call: Call) -> AsyncGenerator[Reply]:
        """Open the call when its turn comes.

        Raises:
            UpstreamBusy: too many wait already, or one of a higher priority took its place.
            DeadlinePassed: its turn did not come in time.
        """
        line = self._lines.get(upstream.identity)
        if line is None:
            line = self._lines[upstream.identity] = _Line(upstream.slots, self._most)
            self._names[upstream.identity] = upstream.name
        began = monotonic()
        await line.enter(upstream, call)
        try:
            if trial := call.attempts.of(upstream):
                trial.queued_s = monotonic() - began
            async with self._opens.open(upstream, call) as reply:
                yield reply
        finally:
            line.leave()

    @property
    def waiting(self) -> Mapping[str, int]:
        """How many calls wait for each upstream, by its name."""
        return {self._names[identity]: line.waiting for identity, line in self._lines.items()}
