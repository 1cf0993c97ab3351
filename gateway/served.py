"""The names that `model` may have in a request, and the upstreams behind them.

Knows names, kinds and addresses; opens no connection.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from zhengwu.models.cards import Kind, ModelCard
from zhengwu.models.catalogue import Catalogue
from zhengwu.models.errors import UnknownModel
from zhengwu.models.policies.load import Loads
from zhengwu.models.route import Route
from zhengwu.models.routing import read_routes, resolve
from zhengwu.models.upstream import Upstream, from_card
from zhengwu.settings import Settings

CHAT_ALIAS, EMBED_ALIAS = "chat", "embed"
"""What applications should ask for: the operator may change the models behind it."""
RERANK_ALIAS, CHAT_RERANK = "rerank", "chat-logprob"
"""Where no route file says otherwise, the first is the second: the chat model reranks."""
OWNER = "zhengwu"
"""Owns the aliases."""


@dataclass(frozen=True)
class ServedModel:
    """A name that this gateway answers for: a model, or an alias over several."""

    name: str
    kind: Kind
    owner: str
    route: Route
    aliases: tuple[str, ...] = ()
    """The aliases that this model alone, or first of all, stands behind."""

    @property
    def upstreams(self) -> tuple[Upstream, ...]:
        """Everything that may answer, first choice first, routes it falls back to aside."""
        return self.route.upstreams


class Served:
    """The names this gateway answers for."""

    def __init__(
        self,
        models: Iterable[ServedModel],
        aliases: Iterable[ServedModel] = (),
        loads: Loads | None = None,
    ) -> None:
        """`loads`: what the routes' orders look at."""
        self._models, self._aliases = tuple(models), tuple(aliases)
        self._names = {m.name: m for m in (*self._models, *self._aliases)}
        self.loads = loads or Loads()

    def __iter__(self) -> Iterator[ServedModel]:
        """Each model once, and then the aliases over several."""
        yield from self._models
        yield from (alias for alias in self._aliases if len(alias.upstreams) > 1)

    def get(self, name: str, kind: Kind | None = None) -> ServedModel:
        """The model or alias of that name.

        Raises:
            UnknownModel: there is none of that name and kind; the message names the choices.
        """
        found = self._names.get(name)
        if found is None or kind not in {None, found.kind}:
            choices = [n for n, model in self._names.items() if kind in {None, model.kind}]
            told = "、".join(choices) or "（无）"
            raise UnknownModel(f"没有名为“{name[:80]}”的模型，可选：{told}。")
        return found

    def reach(self, model: ServedModel) -> tuple[Upstream, ...]:
        """Every upstream a request for `model` may end at, by way of other routes, too."""
        routes, waiting = [model.route], [*model.route.fallbacks, *model.route.overflow]
        while waiting:
            found = self._names.get(waiting.pop())
            if found is not None and found.route not in routes:
                routes.append(found.route)
                waiting += [*found.route.fallbacks, *found.route.overflow]
        return tuple(upstream for route in routes for upstream in route.upstreams)

    @property
    def by_chat(self) -> frozenset[str]:
        """The names that rerank with a chat model behind them, see `models/rerank.py`."""
        found = self._names.get(CHAT_RERANK)
        return frozenset(n for n, m in self._names.items() if found and m.route is found.route)

    def routes(self) -> Mapping[str, Route]:
        """The route of each name, aliases too."""
        return {name: model.route for name, model in self._names.items()}


def served_models(
    settings: Settings, catalogue: Catalogue, environment: Mapping[str, str]
) -> Served:
    """The pool's models of these settings, every closed model whose key is set, and the aliases.

    `environment` holds the keys by the names of their variables (`models/keys.py`).
    """
    pool = f"http://127.0.0.1:{settings.pool_port}"
    chosen = {"@chat": settings.chat_model, "@embed": settings.embed_model}
    pooled = {
        at: from_card(catalogue.get(name), f"{pool}/{name}/v1") for at, name in chosen.items()
    }
    loads, keys = Loads(), {name for name, key in environment.items() if key}
    found = resolve(read_routes(settings.routes_file), catalogue, pooled, keys, loads)
    aliases = [ServedModel(n.name, n.kind, OWNER, n.route) for n in found]
    closed = (card for card in catalogue.all() if card.api and card.api.key_env in keys)
    models = [
        *(_model(catalogue.get(upstream.name), upstream, aliases) for upstream in pooled.values()),
        *(_model(card, from_card(card), aliases) for card in closed),
    ]
    by_chat = catalogue.get(CHAT_RERANK)
    route = Route((pooled["@chat"],))
    if RERANK_ALIAS not in (alias.name for alias in aliases):
        aliases.append(ServedModel(RERANK_ALIAS, by_chat.kind, OWNER, route))
    models.append(ServedModel(CHAT_RERANK, by_chat.kind, by_chat.family, route, (RERANK_ALIAS,)))
    return Served(models, aliases, loads)


def _model(card: ModelCard, upstream: Upstream, aliases: Iterable[ServedModel]) -> ServedModel:
    alone = (a.name for a in aliases if [u.name for u in a.upstreams] == [card.name])
    return ServedModel(card.name, card.kind, card.family, Route((upstream,)), tuple(alone))
