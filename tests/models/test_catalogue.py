"""The catalogue is complete, checked, and says what it does not know."""

from pathlib import Path

import pytest

from zhengwu.models.cards import HubSource
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.errors import CatalogueError, UnknownModel

CARD = """
cards:
  - name: a-model
    title: 甲
    kind: chat
    openness: open
    family: F
    licence: MIT
    context_tokens: 10
    grade_allowed: 3
    engine: vllm
    reviewed: 2026-11-22
    source_of_facts: here
"""


def test_every_card_is_read_and_the_kinds_are_there() -> None:
    catalogue = load_catalogue()
    chat = catalogue.all("chat")
    sizes = [card.parameters_b for card in chat if card.parameters_b]
    assert min(sizes) <= 0.5
    assert max(sizes) >= 70
    makers = {card.family for card in chat if card.openness == "closed"}
    assert makers >= {"DeepSeek", "Qwen", "GLM", "Kimi", "Hunyuan", "Doubao", "ERNIE"}
    assert catalogue.get("chat-logprob").kind == "reranker"
    assert catalogue.get("multilingual-e5-small-q4").dimensions == 384


def test_the_facts_of_the_embedded_models() -> None:
    catalogue = load_catalogue()
    larger = catalogue.get("qwen2.5-coder-1.5b-instruct-q4")
    assert larger.bytes == 1_117_320_768
    assert larger.sha256 == "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046"
    smaller = catalogue.get("qwen2.5-coder-0.5b-instruct-q4")
    assert smaller.bytes == 491_400_064
    assert smaller.sha256 == "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32"


def test_what_is_not_known_is_null_and_said() -> None:
    for card in load_catalogue().all():
        if card.filing_number is None and card.openness == "closed":
            assert any("备案号" in note for note in card.uncertain), card.name
        if card.price is None and card.openness == "closed":
            assert any("价格" in note for note in card.uncertain), card.name
        if not card.files and any(isinstance(s, HubSource) for s in card.sources):
            assert any("SHA-256" in note for note in card.uncertain), card.name
        if card.context_tokens is None:
            assert any("上下文" in note for note in card.uncertain), card.name


def test_closed_models_only_take_public_data_unless_private() -> None:
    for card in load_catalogue().all():
        if card.openness == "closed" and not card.privately_deployed:
            assert card.grade_allowed == 1, card.name


def test_unknown_model_names_the_nearest() -> None:
    with pytest.raises(UnknownModel, match=r"qwen2\.5-7b-instruct"):
        load_catalogue().get("Qwen2.5-7B-Instrct")


def test_unknown_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(CARD + "    colour: red\n", encoding="utf-8")
    with pytest.raises(CatalogueError, match="a-model"):
        load_catalogue(tmp_path)


@pytest.mark.parametrize(
    "line",
    [
        "    files: [{name: ../../etc/passwd, bytes: 1, sha256: '" + "0" * 64 + "'}]\n",
        "    files: [{name: a.gguf, bytes: 1, sha256: abc}]\n",
        "    api: {base_url: 'https://x.cn/v1', key_env: K, model: m}\n",
        "    privately_deployed: true\n",
    ],
)
def test_a_wrong_card_is_refused(tmp_path: Path, line: str) -> None:
    (tmp_path / "a.yaml").write_text(CARD + line, encoding="utf-8")
    with pytest.raises(CatalogueError):
        load_catalogue(tmp_path)


def test_two_cards_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).write_text(CARD, encoding="utf-8")
    with pytest.raises(CatalogueError, match="同名"):
        load_catalogue(tmp_path)


def test_a_file_that_is_not_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("cards: [", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"bad\.yaml"):
        load_catalogue(tmp_path)
