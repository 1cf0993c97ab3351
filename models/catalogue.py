"""Read the reviewed model cards in `catalogue/*.yaml`. Knows files and names; fetches nothing."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from zhengwu.models.cards import Kind, ModelCard
from zhengwu.models.errors import CatalogueError, UnknownModel

FOLDER = Path(__file__).parent / "catalogue"


class CardFile(BaseModel):
    """One YAML file: what its cards have in common, and the cards."""

    model_config = ConfigDict(extra="forbid")

    defaults: dict[str, Any] = {}
    cards: list[dict[str, Any]]


class Catalogue:
    """Every card, by name."""

    def __init__(self, cards: Iterable[ModelCard]) -> None:
        """Keep `cards`.

        Raises:
            CatalogueError: two have the same name.
        """
        found: dict[str, ModelCard] = {}
        for card in cards:
            if card.name in found:
                raise CatalogueError(f"模型目录里有两张同名卡片“{card.name}”，请删去一张")
            found[card.name] = card
        self._cards: Mapping[str, ModelCard] = MappingProxyType(found)

    def get(self, name: str) -> ModelCard:
        """Return the card named `name`.

        Raises:
            UnknownModel: there is none; the message names the nearest ones.
        """
        if name in self._cards:
            return self._cards[name]
        near = difflib.get_close_matches(name.lower(), self._cards, n=3, cutoff=0.3)
        hint = f"，相近的有：{'、'.join(near)}" if near else ""
        raise UnknownModel(
            f"没有名为“{name}”的模型{hint}。用 zhengwu models list 查看全部 {len(self._cards)} 个"
        )

    def all(self, kind: Kind | None = None) -> tuple[ModelCard, ...]:
        """Return all cards in the order of the files, or those of one kind."""
        return tuple(card for card in self._cards.values() if kind in (None, card.kind))

    def adapters(self, base: str) -> tuple[ModelCard, ...]:
        """Return the adapters of a model, every department's."""
        return tuple(card for card in self._cards.values() if card.base == base)


def load_catalogue(folder: Path = FOLDER, own: Path | None = None) -> Catalogue:
    """Read and check every card file in `folder`, and in `own`, where an operator keeps further.

    Departments' adapters are such cards: `Settings.catalogue_dir`.

    Raises:
        CatalogueError: a file is not YAML, or a card is wrong; the message names both.
    """
    paths = [*sorted(folder.glob("*.yaml")), *(sorted(own.glob("*.yaml")) if own else ())]
    cards = [card for path in paths for card in _read(path)]
    names = {card.name for card in cards if card.kind == "chat"}
    for card in cards:
        if card.base is not None and card.base not in names:
            raise CatalogueError(
                f"适配器“{card.name}”的基座“{card.base}”不是目录里的对话模型，请改正 base"
            )
    return Catalogue(cards)


def _read(path: Path) -> list[ModelCard]:
    try:
        file = CardFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError) as error:
        raise CatalogueError(f"模型目录文件 {path.name} 有误：{error}") from error
    cards: list[ModelCard] = []
    for raw in file.cards:
        try:
            cards.append(ModelCard.model_validate({**file.defaults, **raw}))
        except ValidationError as error:
            name = raw.get("name", "（无名）")
            raise CatalogueError(f"{path.name} 的卡片“{name}”有误：{error}") from error
    return cards
