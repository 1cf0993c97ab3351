"""The operator's prices on the cards."""

from pathlib import Path

import pytest

from zhengwu.gateway.metering.burdens import Burdens
from zhengwu.gateway.metering.energy import Burden, estimate
from zhengwu.gateway.metering.errors import PricesWrong
from zhengwu.gateway.metering.price import load_prices, priced
from zhengwu.models.catalogue import load_catalogue

CATALOGUE = load_catalogue()


def test_open_models_cost_what_the_operator_says(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    told = "as_of: 2026-11-01\ndefault: {input: 0.1, output: 0.2}\n"
    path.write_text(told + "models: {qwen3-8b: {input: 1, output: 2}}")
    cards = priced(CATALOGUE, path)
    named, other = cards.get("qwen3-8b").price, cards.get("qwen3-4b").price
    assert named is not None
    assert other is not None
    assert (named.input, named.output, other.output) == (1, 2, 0.2)
    assert cards.get("deepseek-flash").price == CATALOGUE.get("deepseek-flash").price
    assert cards.get("qwen-plus").price is None, "nobody entered it"


def test_without_a_file_open_models_cost_nothing() -> None:
    assert priced(CATALOGUE, None) is CATALOGUE
    assert CATALOGUE.get("qwen3-8b").price is None


@pytest.mark.parametrize(
    "text",
    [
        "default: {input: 1, output: 1}",
        "as_of: 2026-11-01\nmodels: {a: {input: -1, output: 0}}",
        "{",
        "as_of: 2026-11-01\nx: 1",
        "",
    ],
)
def test_a_wrong_file_says_what_is_right(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(PricesWrong, match="as_of"):
        load_prices(tmp_path / "prices.yaml")


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "prices.yaml"
    path.write_text("as_of: 2026-11-01\nmodels: {qwen9-8b: {input: 1, output: 0}}")
    with pytest.raises(PricesWrong, match="qwen9-8b"):
        priced(CATALOGUE, path)
    with pytest.raises(PricesWrong, match=r"none\.yaml"):
        priced(CATALOGUE, tmp_path / "none.yaml")


def test_burdens_go_by_the_name_of_the_upstream() -> None:
    burdens = Burdens(CATALOGUE)
    assert burdens.of("qwen3-8b", 10, 20, 3) == estimate(CATALOGUE.get("qwen3-8b"), 10, 20, 3)
    assert burdens.of("no such card", 10, 20, 3) == Burden()
