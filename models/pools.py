"""Other pools, such as cloud nodes: what each may be given and takes, and the upstreams it offers.

Knows values only: health and spending are told to it, and whether data may leave is decided by
`egress.py` by the address, whatever is written here.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, field_validator

from zhengwu.models.cards import Frozen, ModelCard, Price
from zhengwu.models.errors import CatalogueError
from zhengwu.models.upstream import Upstream

HERE, NEAR, FAR = 0, 1, 2
"""Localities: on this pool, in the same city or province, elsewhere."""


class PoolCard(Frozen):
    """One pool, as an operator registered it."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")
    base_url: str = Field(pattern=r"^https?://", max_length=500)
    """Ends where `/chat/completions` begins; `{model}` stands for the model's name there."""
    health_url: str = Field(pattern=r"^https?://", max_length=500)
    """Answers 200 while the pool works."""
    region: str = Field(min_length=1, max_length=100)
    locality: int = Field(ge=HERE, le=FAR)
    grade_ceiling: int = Field(ge=1, le=3)
    privately_deployed: bool = False
    key_env: str | None = Field(default=None, pattern=r"^[A-Z][A-Z0-9_]*$", max_length=64)
    price: Price | None = None
    tokens_per_day: int | None = Field(default=None, ge=1)
    """Quota in China's days; None is no quota."""
    slots: int = Field(default=64, ge=1)
    models: dict[str, str] = Field(min_length=1)
    """Our name of a model → its name there."""

    @field_validator("base_url")
    @classmethod
    def _only_model(cls, value: str) -> str:
        rest = value.replace("{model}", "")
        if "{" in rest or "}" in rest or "?" in rest or "#" in rest:
            raise ValueError("the only placeholder is {model}, and there are no parameters")
        return value


@dataclass(frozen=True)
class Standing:
    """A pool and how it is doing.

    Attributes:
        healthy: False after checks failed; None before the first.
        spent_today: Tokens of today's quota.
    """

    card: PoolCard
    healthy: bool | None = None
    spent_today: int = 0
    message: str = ""

    @property
    def quota_left(self) -> int | None:
        """Tokens left today; None where there is no quota."""
        if self.card.tokens_per_day is None:
            return None
        return max(self.card.tokens_per_day - self.spent_today, 0)

    @property
    def usable(self) -> bool:
        """Whether a request may be sent there now."""
        return self.healthy is not False and self.quota_left != 0

    def upstream(self, model: ModelCard) -> Upstream | None:
        """Its upstream of `model`; None where it does not offer it."""
        there = self.card.models.get(model.served_name)
        if there is None:
            return None
        return Upstream(
            name=f"{model.served_name}@{self.card.name}",
            base_url=self.card.base_url.replace("{model}", there),
            model=there,
            key_env=self.card.key_env,
            privately_deployed=self.card.privately_deployed,
            grade_allowed=min(self.card.grade_ceiling, model.grade_allowed),
            context_tokens=model.context_tokens,
            price=self.card.price,
            slots=self.card.slots,
            pool=self.card.name,
            region=self.card.region,
            locality=self.card.locality,
        )


def offers(model: ModelCard, standings: Iterable[Standing]) -> tuple[Upstream, ...]:
    """The upstreams of `model` that may be used now: the nearest first, of those the cheapest."""
    found = (one.upstream(model) for one in standings if one.usable)
    return tuple(sorted((one for one in found if one is not None), key=_distance_and_cost))


def read_pools(path: Path) -> tuple[PoolCard, ...]:
    """The pools a YAML file lists under `pools`.

    Raises:
        CatalogueError: not YAML, or a field is wrong; names the pool and the field.
    """
    try:
        rows = yaml.safe_load(path.read_text(encoding="utf-8"))["pools"]
        return tuple(PoolCard.model_validate(row) for row in rows)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
        raise CatalogueError(f"{path} 有误，请改正：{'；'.join(lines)}") from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, KeyError, TypeError) as error:
        raise CatalogueError(f"{path} 无法读取，应是 YAML，列表写在 pools 下：{error}") from error


def _distance_and_cost(upstream: Upstream) -> tuple[int, float]:
    price = upstream.price
    return upstream.locality, price.input + price.output if price else 0.0
