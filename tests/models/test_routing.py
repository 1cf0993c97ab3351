"""Routes are data: read, checked, and resolved to upstreams."""

from pathlib import Path

import pytest

from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.errors import RoutesError
from zhengwu.models.policies.load import Loads
from zhengwu.models.policies.orders import Quickest
from zhengwu.models.routing import read_routes, resolve
from zhengwu.models.upstream import Upstream

POOLED = {
    "@chat": Upstream("池", "http://127.0.0.1:9/v1", "c"),
    "@embed": Upstream("向量", "http://127.0.0.1:9/v1", "e"),
}
HEAD = "reviewed: 2026-11-24\nsource: 测试\nroutes:\n"


def resolved(path: Path | None = None, *keys: str):
    found = resolve(read_routes(path), load_catalogue(), POOLED, keys, Loads())
    return {named.name: named for named in found}


def written(tmp_path: Path, *routes: str) -> Path:
    path = tmp_path / "routes.yaml"
    path.write_text(HEAD + "".join(f"  - {{title: 甲, kind: chat, {r}}}\n" for r in routes))
    return path


def test_without_keys_only_the_pool_is_there() -> None:
    routes = resolved()
    assert {name: [u.name for u in n.route.upstreams] for name, n in routes.items()} == {
        "chat": ["池"],
        "chat-fast": ["池"],
        "embed": ["向量"],
    }
    assert routes["chat"].route.overflow == ()  # what does not exist is not fallen back to


def test_a_key_brings_the_closed_models_in() -> None:
    routes = resolved(None, "DEEPSEEK_API_KEY")
    assert [u.name for u in routes["chat-fast"].route.upstreams] == ["池", "deepseek-flash"]
    assert isinstance(routes["chat-fast"].route.orders, Quickest)
    assert [u.name for u in routes["reasoning"].route.upstreams] == ["deepseek-v4-pro"]
    assert routes["chat"].route.overflow == ("chat-long",)
    assert [u.name for u in routes["chat"].route.upstreams] == ["池"]  # the pool alone
    upstream = routes["reasoning"].route.upstreams[0]
    assert (upstream.grade_allowed, upstream.context_tokens) == (1, 1_048_576)


def test_an_operators_own_file(tmp_path: Path) -> None:
    own = written(
        tmp_path,
        'name: chat, upstreams: [{card: qwen3-8b, base_url: "http://gpu-a:8000/v1", slots: 8,'
        " context_tokens: 8192}, {card: '@chat'}], hedge: {after_s: 0.3, tokens: 800},"
        " retries: {share: 0.1, most: 5}",
    )
    route = resolved(own)["chat"].route
    first = route.upstreams[0]
    assert (first.base_url, first.slots, first.context_tokens) == (
        "http://gpu-a:8000/v1",
        8,
        8192,
    )
    assert route.hedge and route.hedge.tokens == 800
    assert (route.budget.share, route.budget.most) == (0.1, 5)


@pytest.mark.parametrize(
    ("route", "told"),
    [
        ("name: a, upstreams: []", "routes.yaml"),
        ("name: a, upstreams: [{card: '@chat'}], colour: red", "routes.yaml"),
        ("name: a, upstreams: [{card: '@chat'}], order: random", "routes.yaml"),
        ("name: a, upstreams: [{card: '@chat'}], fallbacks: [b]", "“b”"),
        ("name: a, upstreams: [{card: '@chat'}], overflow: [a]", "“a”"),
        ("name: a, upstreams: [{card: '@none'}]", "@chat"),
        ("name: a, upstreams: [{card: qwen3-8bb}]", "qwen3-8b"),
        ("name: a, upstreams: [{card: qwen3-8b}]", "base_url"),
        ("name: a, upstreams: [{card: glm-embedding-3}]", "embedding"),
    ],
)
def test_a_wrong_route_is_named(tmp_path: Path, route: str, told: str) -> None:
    with pytest.raises(RoutesError, match=told):
        resolved(written(tmp_path, route))


def test_two_routes_of_one_name_are_refused(tmp_path: Path) -> None:
    one = "name: a, upstreams: [{card: '@chat'}]"
    with pytest.raises(RoutesError, match="两次"):
        resolved(written(tmp_path, one, one))
