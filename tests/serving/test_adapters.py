"""LoRA adapters by name on the real engine, and cards that say whose they are."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from tests.serving.conftest import weights
from tests.serving.gguf_lora import write_lora
from tests.serving.running import Pool, free_port, ray_folder

from zhengwu.models.cards import ModelCard
from zhengwu.models.catalogue import FOLDER, load_catalogue
from zhengwu.models.errors import CatalogueError
from zhengwu.models.upstream import from_card
from zhengwu.serving.adapters import check_adapters, with_adapters
from zhengwu.serving.errors import SpecError
from zhengwu.serving.spec import DeploymentSpec, PoolSpec

BASE = "qwen2.5-coder-0.5b-instruct-q4"

CARDS = """
cards:
  - name: minzheng-style
    title: 民政局公文风格
    kind: adapter
    base: {base}
    owner: minzheng
    openness: open
    family: LoRA
    licence: null
    context_tokens: null
    grade_allowed: 3
    engine: llamacpp
    files: [{{name: lora.gguf, bytes: 1, sha256: "{digest}"}}]
    reviewed: 2026-11-24
    source_of_facts: 民政局训练
"""


def deployed(path: Path, model: str = BASE) -> DeploymentSpec:
    row: dict[str, object] = {"model": model, "engine": "llamacpp", "adapters": ["minzheng-style"]}
    return DeploymentSpec.model_validate(with_adapters(row, lambda name: path))


def own(folder: Path, base: str = BASE, digest: str = "0" * 64) -> Path:
    folder.mkdir()
    (folder / "own.yaml").write_text(CARDS.format(base=base, digest=digest), encoding="utf-8")
    return folder


def test_a_card_says_whose_an_adapter_is_and_how_it_is_asked_for(tmp_path: Path) -> None:
    catalogue = load_catalogue(FOLDER, own(tmp_path / "own"))
    card = catalogue.get("minzheng-style")
    assert catalogue.adapters(BASE) == (card,) and catalogue.adapters("qwen3-8b") == ()
    upstream = from_card(card, f"http://127.0.0.1:8901/{BASE}/v1")
    assert upstream.name == upstream.model == f"{BASE}:minzheng-style"
    assert card.served_name == f"{BASE}:minzheng-style"
    assert card.open_to(("省", "minzheng")) and card.open_to(("省", "minzheng", "社区处"))
    assert not card.open_to(("省", "gongan")) and not card.open_to(())
    assert load_catalogue().get(BASE).open_to(())
    with pytest.raises(CatalogueError, match="基座"):
        load_catalogue(FOLDER, own(tmp_path / "wrong", "没有的模型"))
    fields: dict[str, Any] = card.model_dump(exclude={"bytes", "sha256"})
    for wrong in ({"base": None}, {"kind": "chat", "base": None}):
        with pytest.raises(ValueError):
            ModelCard.model_validate({**fields, **wrong})


def test_a_file_that_is_not_the_cards_or_another_base_is_refused(tmp_path: Path) -> None:
    file = write_lora(tmp_path / "lora.gguf", 0.1)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    check_adapters([deployed(file)], load_catalogue(FOLDER, own(tmp_path / "right", BASE, digest)))
    with pytest.raises(SpecError, match="摘要不符"):
        check_adapters([deployed(file)], load_catalogue(FOLDER, own(tmp_path / "other")))
    other = deployed(file, "qwen2.5-coder-1.5b-instruct-q4")
    with pytest.raises(SpecError, match="不能加载到"):
        check_adapters([other], load_catalogue(FOLDER, own(tmp_path / "base", BASE, digest)))


@pytest.fixture(scope="module")
def adapted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    folder = tmp_path_factory.mktemp("lora")
    adapters = [
        {"name": "still", "path": write_lora(folder / "still.gguf", 0.0)},
        {"name": "loud", "path": write_lora(folder / "loud.gguf", 0.2)},
        {"name": "soft", "path": folder / "loud.gguf", "scale": 0.0},
    ]
    row = {"model": BASE, "engine": "llamacpp", "weights": weights(BASE), "num_cpus": 0.5}
    spec = PoolSpec(
        deployments=(
            DeploymentSpec.model_validate({**row, "context_tokens": 512, "adapters": adapters}),
        ),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=1,
        temp_dir=ray_folder(),
    )
    with Pool(spec, folder) as running:
        running.wait_ready(120)
        yield running


@pytest.mark.engine
def test_the_name_chooses_the_adapter(adapted: Pool) -> None:
    url = f"{adapted.url}/{BASE}/v1"
    client = openai.OpenAI(base_url=url, api_key="none", max_retries=0, timeout=120)

    def say(model: str, **extra: Any) -> str:
        answer = client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": "用一句话介绍失业保险。"}],
            max_tokens=16,
            temperature=0,
            **extra,
        )
        return answer.choices[0].message.content or ""

    bare = say(BASE)
    assert bare and say(f"{BASE}:still") == bare and say(f"{BASE}:soft") == bare
    loud = say(f"{BASE}:loud")
    assert loud != bare
    assert say(BASE) == bare, "an adapter stays with its own requests"
    assert [m.id for m in client.models.list()][1:] == [
        f"{BASE}:{name}" for name in ("still", "loud", "soft")
    ]
    with pytest.raises(openai.NotFoundError):
        say(f"{BASE}:nobody")
    with pytest.raises(openai.BadRequestError, match="lora"):
        say(BASE, extra_body={"lora": [{"id": 1, "scale": 1.0}]})
