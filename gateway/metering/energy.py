"""Estimates what a request took of electricity, and what that emitted.

The formula is EcoLogits' for the use phase (https://ecologits.ai/latest/methodology/llm_inference/),
with a share for prompt tokens and the grid's factor for where the pool stands. Figures are in
`data/energy.yaml`. Manufacture is not counted, nor what an idle pool takes.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

from zhengwu.models.cards import ModelCard

DATA = Path(__file__).parent / "data" / "energy.yaml"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Gpu(_Frozen):
    """The fit for accelerators: `energy.yaml` says what a to f are."""

    source: str
    energy_a: float = Field(gt=0)
    energy_b: float = Field(le=0)
    energy_c: float = Field(gt=0)
    time_d: float = Field(gt=0)
    time_e: float = Field(ge=0)
    time_f: float = Field(gt=0)
    batch: int = Field(gt=0)
    memory_gb: float = Field(gt=0)
    weight_bits: int = Field(gt=0)
    memory_overhead: float = Field(ge=1)
    server_w: float = Field(ge=0)
    server_gpus: int = Field(gt=0)
    prompt_share: float = Field(ge=0, le=1)


class Cpu(_Frozen):
    """Processors."""

    w_per_core: float = Field(gt=0)


class Size(_Frozen):
    """The size of a model that does not tell its own."""

    parameters_b: float = Field(gt=0)
    active_parameters_b: float = Field(gt=0)


class Place(_Frozen):
    """The emissions of a grid's electricity."""

    region: str
    year: int
    kg_per_kwh: float = Field(gt=0, lt=2)


class Grid(Place):
    """The grid in force, its source, and the country's for comparison."""

    source: str
    fallback: Place


class Factors(_Frozen):
    """`data/energy.yaml`."""

    reviewed: object
    gpu: Gpu
    cpu: Cpu
    unknown: Size
    pue: float = Field(ge=1, le=3)
    grid: Grid
    uncertain: tuple[str, ...]


@dataclass(frozen=True)
class Burden:
    """What one request took, estimated."""

    energy_wh: float = 0.0
    co2e_g: float = 0.0


@lru_cache(1)
def load_factors(path: Path = DATA) -> Factors:
    """Read the reviewed figures."""
    return Factors.model_validate(yaml.safe_load(path.read_text("utf-8")))


def estimate(
    card: ModelCard,
    tokens_in: int,
    tokens_out: int,
    seconds: float,
    factors: Factors | None = None,
) -> Burden:
    """What a request to the model of `card` took.

    Args:
        card: its parameters and resources decide.
        tokens_in: prompt tokens.
        tokens_out: output tokens.
        seconds: how long the upstream worked on it; bounds what the fit says.
        factors: the reviewed figures; None reads them.
    """
    used = factors or load_factors()
    if not tokens_in and not tokens_out:
        return Burden()
    on_cpu = card.openness == "open" and not card.resources.gpu and card.resources.cpu
    wh = _cpu(card, seconds, used) if on_cpu else _gpu(card, tokens_in, tokens_out, seconds, used)
    wh *= used.pue
    return Burden(_round(wh), _round(wh * used.grid.kg_per_kwh))  # Wh x kg/kWh = g


def _cpu(card: ModelCard, seconds: float, factors: Factors) -> float:
    return factors.cpu.w_per_core * (card.resources.cpu or 1.0) * seconds / 3600


def _gpu(
    card: ModelCard, tokens_in: int, tokens_out: int, seconds: float, factors: Factors
) -> float:
    gpu = factors.gpu
    total = card.parameters_b or factors.unknown.parameters_b
    known = card.active_parameters_b or card.parameters_b
    active = known or factors.unknown.active_parameters_b
    needed = gpu.memory_overhead * total * gpu.weight_bits / 8 / gpu.memory_gb
    gpus = card.resources.gpu or math.ceil(needed)
    tokens = tokens_out + gpu.prompt_share * tokens_in
    time_each = gpu.time_d * active + gpu.time_e * gpu.batch + gpu.time_f
    worked = min(tokens * time_each, seconds)
    around = worked / 3600 * gpu.server_w * gpus / gpu.server_gpus / gpu.batch
    energy_each = gpu.energy_a * math.exp(gpu.energy_b * gpu.batch) * active + gpu.energy_c
    return around + gpus * tokens * energy_each


def _round(value: float) -> float:
    """Six figures: more would say more than is known, and fill the journal."""
    return float(f"{value:.6g}")
