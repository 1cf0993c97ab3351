"""The estimate against figures worked out by hand from its published formula."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.gateway.metering.energy import Burden, estimate, load_factors
from zhengwu.models.catalogue import load_catalogue

CATALOGUE = load_catalogue()
FACTORS = load_factors()


def test_an_8b_model_as_by_hand() -> None:
    """100 output tokens of a dense 8.2B on one GPU, no prompt, unbounded time."""
    per_token = 1.1665273e-6 * math.exp(-0.011205921 * 64) * 8.2 + 4.0529281e-5
    seconds = 100 * (6.785088e-4 * 8.2 + 3.1193103e-4 * 64 + 1.94737176e-2)
    wh = (100 * per_token + seconds / 3600 * 1200 / 8 / 64) * FACTORS.pue
    found = estimate(CATALOGUE.get("qwen3-8b"), 0, 100, 1e9)
    assert found.energy_wh == pytest.approx(wh, rel=1e-5)
    assert found.co2e_g == pytest.approx(wh * FACTORS.grid.kg_per_kwh, rel=1e-5)


def test_only_active_parameters_count_for_work() -> None:
    sparse, dense = CATALOGUE.get("qwen3-30b-a3b-instruct-2507"), CATALOGUE.get("qwen3-32b")
    assert estimate(sparse, 0, 100, 60).energy_wh < estimate(dense, 0, 100, 60).energy_wh


def test_a_processor_takes_its_power_times_the_time() -> None:
    card = CATALOGUE.get("qwen2.5-coder-1.5b-instruct-q4")
    assert card.resources.cpu
    wh = FACTORS.cpu.w_per_core * card.resources.cpu * 10 / 3600 * FACTORS.pue
    assert estimate(card, 5, 5, 10).energy_wh == pytest.approx(wh, rel=1e-5)


def test_a_model_of_unknown_size_counts_as_a_large_one() -> None:
    closed, small = CATALOGUE.get("qwen-plus"), CATALOGUE.get("qwen3-8b")
    assert estimate(closed, 0, 100, 60).energy_wh > estimate(small, 0, 100, 60).energy_wh


def test_what_nobody_answered_takes_nothing() -> None:
    assert estimate(CATALOGUE.get("qwen3-8b"), 0, 0, 3) == Burden()


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(0, 10**5))
def test_more_never_takes_less(tokens_in: int, tokens_out: int, seconds: float) -> None:
    card = CATALOGUE.get("qwen3-8b")
    less = estimate(card, tokens_in, tokens_out, seconds).energy_wh
    assert 0 <= less <= estimate(card, tokens_in + 1000, tokens_out + 1000, seconds + 1).energy_wh


def test_what_is_not_certain_is_said() -> None:
    told = " ".join(FACTORS.uncertain)
    for name in ("grid.kg_per_kwh", "pue", "prompt_share", "unknown"):
        assert name in told
