"""The names that `model` may have in a request. Knows names and kinds; opens no connection."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from zhengwu.models.cards import Kind
from zhengwu.models.errors import UnknownModel


@dataclass(frozen=True)
class ServedModel:
    """A model that this gateway answers for, and the other names it goes by."""

    name: str
    kind: Kind
    owner: str
    aliases: tuple[str, ...] = ()


class Served:
    """The models this gateway answers for."""

    def __init__(self, models: Iterable[ServedModel]) -> None:
        self._models = tuple(models)
        self._names = {
            name: model for model in self._models for name in (model.name, *model.aliases)
        }

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
            raise UnknownModel(f"没有名为“{name}”的模型，可选：{'、'.join(choices) or '（无）'}。")
        return found
