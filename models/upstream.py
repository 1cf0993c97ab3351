"""A place that answers in the OpenAI wire, and one answer from it. Opens no connection."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

from zhengwu.models.attempts import Attempts
from zhengwu.models.cards import ModelCard, Price
from zhengwu.models.errors import NoUpstream
from zhengwu.models.quirks import Quirks


@dataclass(frozen=True)
class Upstream:
    """One upstream of a name.

    `base_url` ends where `/chat/completions` begins; `model` is what the upstream calls it;
    `key_env` names the variable with its key. Whether it is on the pool is not written here:
    that is the security administrator's address list, which only `egress.py` holds.

    Attributes:
        context_tokens: What prompt and answer may have together; None where it is not known.
        price: What the seller takes; None where nobody takes anything.
        slots: How many calls it works on at once; further ones wait in the gateway.
        quirks: How its wire differs from OpenAI's; None where it does not.
        pool: Which pool it is on; empty is this one, or a seller's service.
        region: Where that is, for people.
        locality: How far that is: 0 here, 1 the same city or province, 2 elsewhere.
    """

    name: str
    base_url: str
    model: str
    key_env: str | None = None
    privately_deployed: bool = False
    grade_allowed: int = 3
    context_tokens: int | None = None
    price: Price | None = None
    slots: int = 2048
    quirks: Quirks | None = None
    pool: str = ""
    region: str = ""
    locality: int = 0

    @property
    def identity(self) -> tuple[str, str]:
        """What makes two upstreams the same one."""
        return self._identity

    @cached_property
    def _identity(self) -> tuple[str, str]:
        return self.base_url.rstrip("/"), self.model


def from_card(card: ModelCard, base_url: str | None = None) -> Upstream:
    """Return the upstream of a card: a closed model's own service, or `base_url` on the pool.

    An adapter's `base_url` is its base's.

    Raises:
        NoUpstream: the card has no service of its own and no `base_url` was given.
    """
    url = base_url or (card.api.base_url if card.api else None)
    if url is None:
        raise NoUpstream(f"模型“{card.name}”没有自己的服务地址，需先用 zhengwu pool deploy 部署")
    return Upstream(
        name=card.served_name,
        base_url=url,
        model=card.api.model if card.api else card.served_name,
        key_env=card.api.key_env if card.api else None,
        privately_deployed=card.privately_deployed,
        grade_allowed=card.grade_allowed,
        context_tokens=card.context_tokens,
        price=card.price,
        quirks=card.api.quirks if card.api else None,
    )


@dataclass(frozen=True)
class Patience:
    """How long an upstream may take before it counts as failed. None: what `Egress` allows.

    Seconds: to connect, to the first byte of the answer, between two pieces of it.
    """

    connect_s: float | None = None
    first_byte_s: float | None = None
    silence_s: float | None = None


@dataclass(frozen=True)
class Call:
    """One request to an upstream. `path` is relative to the upstream's `base_url`.

    Everything after `headers` is what policies decide by; no upstream is told.

    Attributes:
        fields: `body`, already parsed, where the caller has it: it is not parsed again then.
        tenant: Tenants share an upstream fairly.
        priority: 0 citizen, 1 staff, 2 batch; the lower is served first.
        deadline: `time.monotonic()` after which the call is no longer sent.
        tokens: Estimate of the prompt and the longest answer together; 0 where it is not known.
        affinity: Calls with the same one begin alike, which an upstream may still remember.
        attempts: Where the router writes down every upstream it tried. One per request.
        patience: Set by the route.
    """

    path: str
    body: bytes
    grade: int
    stream: bool = False
    method: str = "POST"
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    """Further headers; only those on `egress.PASSED_HEADERS` are sent."""
    fields: Mapping[str, Any] | None = field(default=None, compare=False, repr=False)
    tenant: str = ""
    priority: int = 1
    deadline: float | None = None
    tokens: int = 0
    affinity: str = ""
    attempts: Attempts = field(default_factory=Attempts, compare=False, repr=False)
    patience: Patience = Patience()


class Reply(Protocol):
    """An upstream's answer while it is open. `chunks` may be read once."""

    @property
    def status(self) -> int:
        """The HTTP status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers that concern the content."""
        ...

    def chunks(self) -> AsyncIterator[bytes]:
        """The body as it comes.

        Raises:
            UpstreamCut: it stopped in the middle.
        """
        ...


class Opens(Protocol):
    """Opens one call to one upstream; leaving the context closes it. `Egress` is the real one."""

    def open(self, upstream: Upstream, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open the call.

        Raises:
            EgressRefused: the grade may not go there.
            UpstreamError: no answer came.
        """
        ...


class Routes(Protocol):
    """Opens a call by the name of a route. `Router` is the real one; policies wrap it."""

    def open(self, alias: str, call: Call) -> AbstractAsyncContextManager[Reply]:
        """Open the call at whichever upstream answers first."""
        ...
