"""The whole path on the real llama.cpp engine and embedder, scheduled by Ray Serve."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from tests.agents.qa.town import check_order, tell
from tests.rag.shelf import quiet
from tests.serving.conftest import weights
from tests.serving.running import CHAT, EMBED, Pool, free_port

from zhengwu.agents.qa.events import Done, Event, Question, Sentence, Sources, Status
from zhengwu.agents.qa.path import CitizenQA, citizen_qa
from zhengwu.cli.pooled import open_chat, open_embedder
from zhengwu.datasets.parse import Limits
from zhengwu.datasets.starter import STARTER
from zhengwu.db.home import open_engine
from zhengwu.gateway.served import CHAT_ALIAS
from zhengwu.rag.fill import Filler
from zhengwu.rag.ingest import Ingestor
from zhengwu.rag.knowledge import Knowledge
from zhengwu.rag.text.normalise import squash
from zhengwu.serving.spec import DeploymentSpec, PoolSpec
from zhengwu.settings import read_settings

pytestmark = pytest.mark.engine

HERE = "示范省/示范市"
KB = "starter"
ASKED = "申领失业保险金需要哪些条件？"
ABSURD = "火星移民可以带几只企鹅乘坐飞船？"


class Built(NamedTuple):
    """The path and the store it quotes from."""

    qa: CitizenQA
    knowledge: Knowledge


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """This module's own pool: it is gone before the next one that a session needs."""
    spec = PoolSpec(
        deployments=(
            DeploymentSpec(
                model=CHAT,
                engine="llamacpp",
                weights=weights(CHAT),
                num_cpus=0.5,
                engine_options={"batch": 128, "prompt_cache_mb": 256},
            ),
            DeploymentSpec(model=EMBED, engine="embed", weights=weights(EMBED), num_cpus=0.25),
        ),
        http_port=free_port(),
        ray_port=free_port(),
        num_cpus=1,
        temp_dir=Path("/tmp/zhengwu-test-qa"),
    )
    with Pool(spec, tmp_path_factory.mktemp("pool")) as running:
        running.wait_ready(240)
        yield running


async def _ingest(engine: AsyncEngine, folder: Path) -> None:
    report = await Ingestor(engine, folder, Limits()).ingest(KB, [STARTER / "guides"], quiet)
    assert report.added and not report.failed


async def _never() -> bool:
    return False


@pytest.fixture
async def path(pool: Pool, tmp_path: Path) -> AsyncIterator[Built]:
    """The product's own parts over the starter guides, with their vectors."""
    settings = read_settings(home=tmp_path, pool_port=pool.spec.http_port)
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings))
        embedder = await stack.enter_async_context(open_embedder(settings, {}))
        chat = await stack.enter_async_context(open_chat(settings, {}))
        await _ingest(engine, settings.store_dir)
        filler = Filler(engine, settings.store_dir, embedder, _never)
        await filler.step()
        knowledge = Knowledge(engine, settings.store_dir, embedder)
        yield Built(citizen_qa(engine, knowledge, chat, CHAT_ALIAS), knowledge)


async def test_a_question_over_a_guide_is_answered_word_for_word(path: Built) -> None:
    told = await tell(path.qa, ASKED, HERE, kb=KB)
    assert told.done.status in (Status.ANSWERED, Status.ANSWERED_FAQ), told.done
    assert told.sentences[0].quoted
    cited = [citation for sentence in told.sentences for citation in sentence.citations]
    assert any(citation.doc_id == "hrss-001" for citation in cited)
    for citation in cited:
        opened = await path.knowledge.clause(KB, citation.doc_id, citation.clause_id)
        assert squash(citation.quote) in squash(opened.text)
    assert told.done.tokens["prompt"] > 0


async def test_an_absurd_question_is_refused(path: Built) -> None:
    told = await tell(path.qa, ABSURD, HERE, kb=KB)
    assert told.done.status == Status.NO_SOURCE
    assert not told.sentences and told.done.next_steps


async def test_closing_ends_the_generation(path: Built, pool: Pool) -> None:
    events = path.qa.ask(Question(text=ASKED, kb=KB, region=HERE))
    async for event in events:
        if isinstance(event, Sources):
            break
    await _busy(pool, True)
    await events.aclose()
    await _busy(pool, False)


async def test_a_replica_killed_mid_answer_is_never_an_empty_success(
    path: Built, pool: Pool
) -> None:
    seen: list[Event] = []
    async for event in path.qa.ask(Question(text=ASKED, kb=KB, region=HERE)):
        seen.append(event)
        if isinstance(event, Sources) and len(seen) == 2:
            await _busy(pool, True)
            await _kill(pool)
    check_order(seen)
    done = seen[-1]
    assert isinstance(done, Done)
    sentences = [event for event in seen if isinstance(event, Sentence)]
    if done.status == Status.FAILED:
        assert done.reason and done.text and not sentences
    else:
        assert done.status == Status.ANSWERED and sentences
    deadline = time.monotonic() + 120
    while (await asyncio.to_thread(pool.get, f"/{CHAT}/health"))[0] != 200:
        assert time.monotonic() < deadline, "Serve brought no new replica"
        await asyncio.sleep(0.5)
    again = await tell(path.qa, ASKED, HERE, kb=KB)
    assert again.done.status != Status.FAILED and again.done.confidence > 0


async def _busy(pool: Pool, busy: bool) -> None:
    """Wait until llama.cpp itself says that a slot works, or that none does."""
    async with asyncio.timeout(20):
        while bool((await asyncio.to_thread(pool.get, f"/{CHAT}/slots"))[1]["busy"]) != busy:
            await asyncio.sleep(0.02)


async def _kill(pool: Pool) -> None:
    """Kill the chat replica; its title is for a moment another one while a call begins."""
    for _ in range(100):
        try:
            pool.replica(CHAT).kill()
        except (AssertionError, psutil.NoSuchProcess):
            await asyncio.sleep(0.02)
        else:
            return
    pytest.fail("no replica to kill")
