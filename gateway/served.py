"""The names that `model` may have in a request, and the upstreams behind them.

Knows names, kinds and addresses; opens no connection.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from zhengwu.models.cards import Kind, ModelCard
from zhengwu.models.catalogue import Catalogue
from zhengwu.models.errors import UnknownModel
from zhengwu.models.upstream import Upstream, from_card
from zhengwu.settings import Settings

CHAT_ALIAS, EMBED_ALIAS = "chat", "embed"
"""What applications should ask for: the operator may change the model behind it."""


@dataclass(frozen=True)
class ServedModel:
    """A model that this gateway answers for, and the other names it goes by."""

    name: str
    kind: Kind
    owner: str
    upstream: Upstream
    aliases: tuple[str, ...] = ()


class Served:
    """The models this gateway answers for."""

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._models = tuple(models)
        self._names = {name: m for m in self._models for name in (m.name, *m.aliases)}

    def __iter__(self) -> Iterator[ServedModel]:
        """Each model once."""
        return iter(self._models)

    def get(self, name: str, kind: Kind | None = None) -> ServedModel:
        """The model that `name` or an alias of it names.

        Raises:
            UnknownModel: there is none of that name and kind; the message names the choices.
        """
        found = self._names.get(name)
        if found is None or kind not in {None, found.kind}:
            choices = [n for n, model in self._names.items() if kind in {None, model.kind}]
            told = "、".join(choices) or "（无）"
            raise UnknownModel(f"没有名为“{name[:80]}”的模型，可选：{told}。")
        return found

    def routes(self) -> Mapping[str, tuple[Upstream, ...]]:
        """The upstreams of each name, aliases too."""
        return {name: (model.upstream,) for name, model in self._names.items()}


def served_models(
    settings: Settings, catalogue: Catalogue, environment: Mapping[str, str]
) -> Served:
    """The pool's models of these settings, and every closed model whose key is set."""
    pool = f"http://127.0.0.1:{settings.pool_port}"

    def pooled(name: str, alias: str) -> ServedModel:
        card = catalogue.get(name)
        upstream = from_card(card, f"{pool}/{name}/v1")
        return ServedModel(name, card.kind, card.family, upstream, (alias,))

    closed = (card for card in catalogue.all() if _usable(card, environment))
    return Served(
        [
            pooled(settings.chat_model, CHAT_ALIAS),
            pooled(settings.embed_model, EMBED_ALIAS),
            *(ServedModel(c.name, c.kind, c.family, from_card(c)) for c in closed),
        ]
    )


def _usable(card: ModelCard, environment: Mapping[str, str]) -> bool:
    return card.api is not None and bool(environment.get(card.api.key_env))
