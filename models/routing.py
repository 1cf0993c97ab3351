"""Reads the routes from reviewed data (`routes.yaml`) and finds their upstreams.

Knows cards, names and which keys there are; opens no connection.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zhengwu.models.cards import Kind
from zhengwu.models.catalogue import Catalogue
from zhengwu.models.errors import RoutesError, UnknownModel
from zhengwu.models.policies.budget import RetryBudget
from zhengwu.models.policies.load import Loads
from zhengwu.models.policies.orders import ORDERS, OrderName
from zhengwu.models.route import Hedge, Route, Waits, once
from zhengwu.models.upstream import Upstream, from_card

FILE = Path(__file__).parent / "routes.yaml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class UpstreamEntry(_Frozen):
    """One upstream of a route: a card, and where it listens if it is neither closed nor `@…`."""

    card: str
    base_url: str | None = Field(default=None, pattern=r"^https?://")
    slots: int | None = Field(default=None, ge=1)
    context_tokens: int | None = Field(default=None, ge=256)
    """What the deployment allows, where that is less than the card."""


class WaitsEntry(_Frozen):
    """See `route.Waits`."""

    connect_s: float | None = Field(default=0.7, gt=0)
    first_byte_s: float | None = Field(default=None, gt=0)
    silence_s: float | None = Field(default=None, gt=0)
    short_tokens: int = Field(default=0, ge=0)
    short_first_byte_s: float = Field(default=0.7, gt=0)


class RetriesEntry(_Frozen):
    """See `RetryBudget`."""

    share: float = Field(default=0.2, ge=0, le=1)
    most: float = Field(default=20.0, ge=0, le=1000)


class HedgeEntry(_Frozen):
    """See `route.Hedge`."""

    after_s: float = Field(gt=0)
    tokens: int = Field(ge=1)


class RouteEntry(_Frozen):
    """One route as the file has it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")
    title: str
    kind: Kind
    order: OrderName = "listed"
    upstreams: tuple[UpstreamEntry, ...] = Field(min_length=1)
    waits: WaitsEntry = WaitsEntry()
    retries: RetriesEntry = RetriesEntry()
    hedge: HedgeEntry | None = None
    fallbacks: tuple[str, ...] = ()
    overflow: tuple[str, ...] = ()


class RouteFile(_Frozen):
    """The file."""

    reviewed: date
    source: str
    routes: tuple[RouteEntry, ...]


@dataclass(frozen=True)
class Named:
    """A route, and what it is called."""

    name: str
    title: str
    kind: Kind
    route: Route


def read_routes(path: Path | None = None) -> tuple[RouteEntry, ...]:
    """Read the routes of `path`, or the product's own.

    Raises:
        RoutesError: the file cannot be read, a name stands twice, or names what is not there.
    """
    path = path or FILE
    try:
        file = RouteFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise RoutesError(f"路由文件 {path.name} 有误：{error}") from error
    names = [entry.name for entry in file.routes]
    for entry in file.routes:
        if names.count(entry.name) > 1:
            raise RoutesError(f"路由文件 {path.name} 里“{entry.name}”出现两次，请删去一个")
        for other in (*entry.fallbacks, *entry.overflow):
            if other not in names or other == entry.name:
                raise RoutesError(f"路由“{entry.name}”指向的“{other}”不存在或是它自己")
    return file.routes


def resolve(
    entries: tuple[RouteEntry, ...],
    catalogue: Catalogue,
    pooled: Mapping[str, Upstream],
    keys: Container[str],
    loads: Loads,
) -> tuple[Named, ...]:
    """The routes that can be used now: closed models without a key are left out.

    Args:
        entries: what the file says.
        catalogue: the cards.
        pooled: `@chat`, `@embed` … → the upstream that the settings chose.
        keys: the names of the keys there are.
        loads: what the orders look at.

    Raises:
        RoutesError: a card is not in the catalogue, is of another kind, or has no address.
    """
    found: list[Named] = []
    for entry in entries:
        given = [_upstream(entry, each, catalogue, pooled) for each in entry.upstreams]
        usable = once(u for u in given if u.key_env is None or u.key_env in keys)
        if usable:
            found.append(Named(entry.name, entry.title, entry.kind, _route(entry, usable, loads)))
    names = {named.name for named in found}
    return tuple(replace(named, route=_only(named.route, names)) for named in found)


def _upstream(
    entry: RouteEntry, given: UpstreamEntry, catalogue: Catalogue, pooled: Mapping[str, Upstream]
) -> Upstream:
    where = f"路由“{entry.name}”的上游“{given.card}”"
    if given.card.startswith("@"):
        upstream = pooled.get(given.card)
        if upstream is None:
            raise RoutesError(f"{where}不存在，可用的有：{'、'.join(pooled)}")
    else:
        try:
            card = catalogue.get(given.card)
        except UnknownModel as error:
            raise RoutesError(f"{where}有误：{error}") from error
        if card.kind != entry.kind:
            raise RoutesError(f"{where}是 {card.kind}，该路由需要 {entry.kind}")
        if card.api is None and given.base_url is None:
            raise RoutesError(f"{where}是开源模型，请写明它的 base_url")
        upstream = from_card(card, given.base_url)
    return replace(
        upstream,
        slots=given.slots or upstream.slots,
        context_tokens=given.context_tokens or upstream.context_tokens,
    )


def _route(entry: RouteEntry, upstreams: tuple[Upstream, ...], loads: Loads) -> Route:
    return Route(
        upstreams,
        ORDERS[entry.order](loads),
        Waits(**entry.waits.model_dump()),
        RetryBudget(entry.retries.share, entry.retries.most),
        entry.fallbacks,
        entry.overflow,
        Hedge(**entry.hedge.model_dump()) if entry.hedge else None,
    )


def _only(route: Route, names: Container[str]) -> Route:
    fallbacks = tuple(name for name in route.fallbacks if name in names)
    return replace(
        route,
        fallbacks=fallbacks,
        overflow=tuple(name for name in route.overflow if name in names),
    )
