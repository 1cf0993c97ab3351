"""Other pools: what they offer, their health over real HTTP, quotas in real databases."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncEngine

from zhengwu.db.tables import RemotePool
from zhengwu.models.cards import Price
from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.errors import CatalogueError
from zhengwu.models.pool_register import PoolRegister, check
from zhengwu.models.pools import FAR, NEAR, PoolCard, Standing, offers, read_pools
from zhengwu.outbound import Outbound

MODEL = load_catalogue().get("qwen3-8b")


def card(name: str = "yun", **fields: object) -> PoolCard:
    own: dict[str, object] = {
        "name": name,
        "base_url": "https://pool.example/{model}/v1",
        "health_url": "https://pool.example/-/healthz",
        "region": "示范省政务云",
        "locality": NEAR,
        "grade_ceiling": 2,
        "models": {MODEL.name: "qwen3-8b-awq"},
    }
    return PoolCard.model_validate({**own, **fields})


@pytest.fixture
async def register(engine: AsyncEngine) -> AsyncIterator[PoolRegister]:
    yield PoolRegister(engine)


def test_an_upstream_carries_what_the_choice_needs() -> None:
    price = Price(input=1, output=2, as_of=date(2026, 11, 1))
    made = Standing(card(price=price, key_env="YUN_KEY")).upstream(MODEL)
    assert made is not None
    assert made.base_url == "https://pool.example/qwen3-8b-awq/v1" and made.model == "qwen3-8b-awq"
    assert (made.pool, made.locality, made.region) == ("yun", NEAR, "示范省政务云")
    assert made.grade_allowed == 2 and made.price == price and made.key_env == "YUN_KEY"
    assert Standing(card()).upstream(load_catalogue().get("qwen3-max")) is None


def test_near_before_far_cheap_before_dear_and_only_what_is_usable() -> None:
    def at(input_: float) -> Price:
        return Price(input=input_, output=0, as_of=date(2026, 11, 1))

    standings = [
        Standing(card("far", locality=FAR)),
        Standing(card("dear", price=at(9))),
        Standing(card("cheap", price=at(1))),
        Standing(card("down"), healthy=False),
        Standing(card("spent", tokens_per_day=100), spent_today=100),
        Standing(card("left", locality=FAR, price=at(5), tokens_per_day=100), spent_today=99),
        Standing(card("other", models={"glm-4": "glm"})),
    ]
    assert [one.pool for one in offers(MODEL, standings)] == ["cheap", "dear", "far", "left"]


@pytest.mark.parametrize(
    "fields",
    [
        {"base_url": "ftp://x"},
        {"base_url": "https://x/{host}/v1"},
        {"base_url": "https://x/v1?key=1"},
        {"grade_ceiling": 4},
        {"locality": 3},
        {"models": {}},
        {"key_env": "lower"},
        {"quota": 3},
    ],
    ids=str,
)
def test_wrong_cards_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        PoolCard.model_validate({**card().model_dump(), **fields})


def test_a_file_of_pools(tmp_path: Path) -> None:
    file = tmp_path / "pools.yaml"
    file.write_text(f"pools:\n  - {card().model_dump_json()}\n", encoding="utf-8")
    assert read_pools(file) == (card(),)
    for broken in ("", "[", "pools: 3", "pools: [{name: x}]"):
        file.write_text(broken, encoding="utf-8")
        with pytest.raises(CatalogueError):
            read_pools(file)


async def test_registering_again_changes_the_card_and_keeps_the_count(
    register: PoolRegister,
) -> None:
    await register.put(card(tokens_per_day=100))
    await register.spend("yun", 70)
    await register.put(card(tokens_per_day=80, region="别处"))
    (found,) = await register.standings()
    assert found.card.region == "别处" and found.quota_left == 10
    await register.remove("yun")
    with pytest.raises(CatalogueError, match="无"):
        await register.remove("yun")


async def test_quotas_count_exactly_and_begin_anew_every_day(
    register: PoolRegister, engine: AsyncEngine
) -> None:
    await register.put(card(tokens_per_day=1000))
    await asyncio.gather(*(register.spend("yun", 7) for _ in range(40)))
    assert (await register.standings())[0].spent_today == 280
    async with engine.begin() as connection:
        await connection.execute(update(RemotePool).values(spent_day=date(2020, 1, 1)))
    assert (await register.standings())[0].quota_left == 1000
    await register.spend("yun", 5)
    assert (await register.standings())[0].spent_today == 5


async def test_health_is_asked_with_the_key_and_two_failures_are_down(
    register: PoolRegister,
) -> None:
    status, keys = 200, list[str | None]()

    async def health(request: web.Request) -> web.Response:
        keys.append(request.headers.get("Authorization"))
        return web.Response(status=status)

    app = web.Application()
    app.router.add_get("/healthz", health)
    async with TestServer(app) as server, Outbound("pool", 1, 2.0) as outbound:
        url = str(server.make_url("/healthz"))
        await register.put(card(health_url=url, key_env="YUN_KEY"))
        await register.put(card("gone", health_url="http://127.0.0.1:9/healthz"))

        async def healthy() -> dict[str, bool | None]:
            await check(register, outbound, {"YUN_KEY": "secret"})
            return {one.card.name: one.healthy for one in await register.standings()}

        assert await healthy() == {"yun": True, "gone": None}
        status = 503
        assert await healthy() == {"yun": True, "gone": False}
        assert await healthy() == {"yun": False, "gone": False}
        status = 200
        assert await healthy() == {"yun": True, "gone": False}
    assert keys == ["Bearer secret"] * 4
    (gone, _) = await register.standings()
    assert "127.0.0.1:9" in gone.message and not gone.usable
