"""Prices inside: what the operator charges for open models, put onto their cards.

Yuan per million tokens, so tokens times price is micro-yuan. Sellers' prices of closed models
stand on the cards already; the file may correct them. Knows cards; knows no request.
"""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from zhengwu.gateway.metering.errors import PricesWrong
from zhengwu.models.cards import ModelCard, Price
from zhengwu.models.catalogue import Catalogue


class Charge(BaseModel):
    """Yuan per million tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    input: float = Field(ge=0, le=100_000)
    output: float = Field(ge=0, le=100_000)


class PriceFile(BaseModel):
    """The operator's file. `default` is for open models that `models` does not name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    as_of: date
    default: Charge | None = None
    models: Mapping[str, Charge] = Field(default_factory=dict[str, Charge])

    def price(self, card: ModelCard) -> Price | None:
        """What the model of `card` costs."""
        charge = self.models.get(card.name)
        if charge is None and card.openness == "open" and card.price is None:
            charge = self.default
        if charge is None:
            return card.price
        return Price(input=charge.input, output=charge.output, as_of=self.as_of)


def load_prices(path: Path) -> PriceFile:
    """Read the operator's file.

    Raises:
        PricesWrong: it is not there or says something else.
    """
    try:
        raw: object = yaml.safe_load(path.read_text("utf-8"))
        return PriceFile.model_validate(raw)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise PricesWrong(
            f"内部价格文件 {path} 有误：{error}。应有 as_of（日期）、default 和 models，"
            "价格为 input、output（元/百万词元）。"
        ) from error


def priced(catalogue: Catalogue, path: Path | None) -> Catalogue:
    """The catalogue with the prices in force; without a file open models cost nothing.

    Raises:
        PricesWrong: the file is wrong, or names a model that there is not.
    """
    if path is None:
        return catalogue
    file = load_prices(path)
    known = {card.name for card in catalogue.all()}
    if unknown := sorted(file.models.keys() - known):
        raise PricesWrong(f"内部价格文件 {path} 里没有这些模型：{'、'.join(unknown)}。")
    cards = catalogue.all()
    return Catalogue(card.model_copy(update={"price": file.price(card)}) for card in cards)
