"""Each maker's service, played by a real server as its documentation describes it.

The pages are named at each double and on the cards (`models/catalogue/closed.yaml`); the values
are ours.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pytest
from tests.models import faults
from tests.models.faults import DONE, USAGE, Answer, event

from zhengwu.models.catalogue import load_catalogue
from zhengwu.models.client import ChatClient
from zhengwu.models.egress import Egress
from zhengwu.models.errors import UpstreamCut, UpstreamError
from zhengwu.models.router import Router
from zhengwu.models.upstream import Call, from_card
from zhengwu.models.wire import ChatRequest, Message

ASK = ChatRequest(
    messages=(Message(role="user", content="你好"),), temperature=1.4, top_p=0.9, max_tokens=64
)


def piece(finish: str | None = None, **delta: object) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def told(message: str, code: str = "", kind: str = "") -> dict[str, Any]:
    return {"error": {"message": message, "code": code or None, "type": kind or None}}


THINK, SAY, END = piece(reasoning_content="想"), piece(content="好的"), piece("stop", content="")
NULL = {"usage": None}
LAST = {**piece(), "choices": [], "usage": USAGE}
RUNNING = {"prompt_tokens": 7, "completion_tokens": 1, "total_tokens": 8}


@dataclass(frozen=True)
class Double:
    """One maker: its stream, its errors (status, body, our code) and what it must be sent."""

    stream: tuple[bytes, ...]
    errors: tuple[tuple[int, Mapping[str, Any], str], ...]
    sent: Mapping[str, object]
    """Expected parameters of a stream; a name that is None must not be there."""
    ends: Mapping[str, str] = field(default_factory=dict[str, str])
    """Finish reason of the maker → ours, or `cut`."""


DOUBLES = {
    # https://api-docs.deepseek.com/quick_start/rate_limit : comments while it is waited for;
    # https://api-docs.deepseek.com/api/create-chat-completion : usage in a last event
    "deepseek-flash": Double(
        (
            b": keep-alive\n\n",
            b": keep-alive\n\n",
            event({**THINK, **NULL}),
            event({**SAY, **NULL}),
            event({**END, **NULL}),
            event(LAST),
            DONE,
        ),
        (
            (401, told("Authentication Fails", "invalid_request_error"), "upstream_rejects"),
            (402, told("Insufficient Balance", "invalid_request_error"), "upstream_rejects"),
            (429, told("Rate limit reached"), "upstream_limited"),
            (503, told("Server overloaded"), "upstream_failed"),
            (
                400,
                told("This model's maximum context length is 1048576 tokens. However…"),
                "context_overflow",
            ),
        ),
        {"temperature": 1.4, "max_tokens": 64, "stream_options": {"include_usage": True}},
        {"insufficient_system_resource": "cut"},
    ),
    # https://help.aliyun.com/zh/model-studio/error-code
    "qwen-plus": Double(
        (event({**THINK, **NULL}), event({**SAY, **NULL}), event(END), event(LAST), DONE),
        (
            (400, told("Access denied, account…", "Arrearage", "Arrearage"), "upstream_rejects"),
            (401, told("Incorrect API key provided.", "invalid_api_key"), "upstream_rejects"),
            (429, told("exceeded your quota", "insufficient_quota"), "upstream_limited"),
            (429, told("slow", "Throttling.RateQuota"), "upstream_limited"),
            (
                400,
                told("Input data may contain…", "data_inspection_failed"),
                "content_refused",
            ),
            (
                400,
                told("Range of input length should be [1, 129024]", "invalid_parameter_error"),
                "context_overflow",
            ),
        ),
        {"temperature": 1.4, "enable_thinking": None},
    ),
    # https://docs.bigmodel.cn/cn/api/api-code : codes are numbers in strings; 1113 comes as 429
    "glm-5.2": Double(
        (event(THINK), event(SAY), event({**END, "usage": USAGE}), DONE),
        (
            (401, told("身份验证失败", "1000"), "upstream_rejects"),
            (429, told("您的账户已欠费", "1113"), "upstream_rejects"),
            (429, told("速率限制", "1302"), "upstream_limited"),
            (429, told("访问量过大", "1305"), "upstream_failed"),
            (400, told("敏感内容", "1301"), "content_refused"),
            (400, told("Prompt 超长", "1261"), "context_overflow"),
            (400, told("模型不存在", "1211"), "upstream_rejects"),
        ),
        {"temperature": 1.0, "top_p": 0.9},
        {"sensitive": "content_filter", "network_error": "cut"},
    ),
    # https://platform.kimi.com/docs/api/errors.md ; usage inside the last choice:
    # https://github.com/earendil-works/pi/issues/2017 ; no space after `data:`
    "kimi-k2.6": Double(
        (
            event(THINK).replace(b"data: ", b"data:"),
            event(SAY).replace(b"data: ", b"data:"),
            b"data:"
            + orjson.dumps({**END, "choices": [{**END["choices"][0], "usage": USAGE}]})
            + b"\n\n",
            DONE,
        ),
        (
            (401, told("Invalid", "", "invalid_authentication_error"), "upstream_rejects"),
            (429, told("quota", "", "exceeded_current_quota_error"), "upstream_rejects"),
            (429, told("slow", "", "rate_limit_reached_error"), "upstream_limited"),
            (429, told("overloaded", "", "engine_overloaded_error"), "upstream_failed"),
            (400, told("high risk", "", "content_filter"), "content_refused"),
            (
                400,
                told("Input token length too long", "", "invalid_request_error"),
                "context_overflow",
            ),
            (404, told("no model", "", "resource_not_found_error"), "upstream_rejects"),
        ),
        {"temperature": None, "top_p": None, "max_tokens": 64},
    ),
    # https://cloud.tencent.com/document/product/1729/111007 : running usage in every event
    "hunyuan-turbos": Double(
        (
            event({**SAY, "usage": RUNNING, "note": "以上内容为AI生成"}),
            event({**END, "usage": USAGE}),
            DONE,
        ),
        (
            (401, told("bad key", "AuthFailure.InvalidAuthorization"), "upstream_rejects"),
            (429, told("slow", "LimitExceeded"), "upstream_limited"),
            (
                400,
                told("spent", "FailedOperation.ResourcePackExhausted"),
                "upstream_rejects",
            ),
        ),
        {"temperature": 1.4},
        {"sensitive": "content_filter"},
    ),
    # https://www.volcengine.com/docs/82379/1299023
    "doubao-seed-1.8": Double(
        (event(THINK), event(SAY), event(END), event(LAST), DONE),
        (
            (401, told("key", "AuthenticationError"), "upstream_rejects"),
            (403, told("overdue", "AccountOverdueError"), "upstream_rejects"),
            (404, told("none", "InvalidEndpointOrModel.NotFound"), "upstream_rejects"),
            (429, told("rpm", "RateLimitExceeded.EndpointRPMExceeded"), "upstream_limited"),
            (429, told("busy", "ServerOverloaded"), "upstream_failed"),
            (400, told("no", "SensitiveContentDetected.SevereViolation"), "content_refused"),
            (
                400,
                told("Total tokens of image and text exceed max message tokens"),
                "context_overflow",
            ),
        ),
        {"temperature": 1.4},
    ),
    # https://cloud.baidu.com/doc/qianfan-api/s/rmwbl43x7 ; a limit may come as HTTP 200 with code
    # and msg on top: https://cloud.baidu.com/doc/WENXINWORKSHOP/s/cm79w0mjf
    "ernie-5.1": Double(
        (event(SAY), event(END), event(LAST), DONE),
        (
            (200, {"code": "rpm_rate_limit_exceeded", "msg": "Rate limit"}, "upstream_limited"),
            (429, told("Rate limit", "tpm_rate_limit_exceeded"), "upstream_limited"),
            (400, told("too long", "tokens_too_long"), "context_overflow"),
            (400, told("too long", "characters_too_long"), "context_overflow"),
            (400, told("unsafe", "text_unsafe", "unsafe_request"), "content_refused"),
            (401, told("no", "no_parameter_permission", "access_denied"), "upstream_rejects"),
            (401, told("no", "invalid_model", "invalid_request_error"), "upstream_rejects"),
        ),
        {"temperature": 1.4},
    ),
}


@asynccontextmanager
async def service(name: str, answer: Answer):
    """The router in front of a double that plays `name`."""
    async with AsyncExitStack() as stack:
        seen = await stack.enter_async_context(faults.upstream(answer))
        upstream = replace(from_card(load_catalogue().get(name)), base_url=seen.url)
        keys = {upstream.key_env or "": "sk-test"}
        egress = await stack.enter_async_context(Egress(keys=keys))
        yield Router({"chat": [upstream]}, egress), seen, upstream


def test_every_maker_has_a_double_and_names_its_pages() -> None:
    cards = [card for card in load_catalogue().all("chat") if card.openness == "closed"]
    played = {load_catalogue().get(name).family for name in DOUBLES}
    assert {card.family for card in cards} == played
    for card in cards:
        assert card.api and card.api.quirks and card.api.quirks.sources, card.name


@pytest.mark.parametrize("cut", [1, 7, 10_000])
@pytest.mark.parametrize("name", DOUBLES)
async def test_a_stream_however_it_is_cut(name: str, cut: int) -> None:
    double = DOUBLES[name]
    whole = b"".join(double.stream)
    size = max(len(whole) // 40, 1) if cut == 1 else len(whole) // 7 if cut == 7 else len(whole)
    blocks = [whole[at : at + size] for at in range(0, len(whole), size)]
    async with service(name, faults.stream(*blocks, pause_s=0.001)) as (router, seen, upstream):
        pieces = [piece async for piece in ChatClient(router).stream(ASK, 1)]
    assert "".join(each.text for each in pieces) == "好的"
    thought = "想" if any("想".encode() in block for block in double.stream) else ""
    assert "".join(each.reasoning for each in pieces) == thought
    usages = [each.usage for each in pieces if each.usage]
    assert [u.prompt_tokens for u in usages] == [7]  # once, and the last figure
    assert [u.completion_tokens for u in usages] == [3]
    assert [each.finish_reason for each in pieces if each.finish_reason] == ["stop"]
    body = orjson.loads(seen.bodies[0])
    assert body["model"] == upstream.model
    assert {name: body.get(name) for name in double.sent} == dict(double.sent)
    assert b"authorization: bearer sk-test" in seen.heads[0].lower()


@pytest.mark.parametrize(
    ("name", "status", "body", "code"),
    [(name, *error) for name, double in DOUBLES.items() for error in double.errors],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_errors_mean_what_the_documentation_says(
    name: str, status: int, body: Mapping[str, Any], code: str, stream: bool
) -> None:
    async with service(name, faults.json(status, body)) as (router, _, __):
        call = Call("chat/completions", ASK.to_json(stream), 1, stream)
        with pytest.raises(UpstreamError) as caught:
            async with router.open("chat", call):
                pass
        assert caught.value.code == code
        assert [each.outcome for each in call.attempts.all] == [code]
        assert "sk-test" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "theirs", "ours"),
    [(name, *end) for name, double in DOUBLES.items() for end in double.ends.items()],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_how_an_answer_ends(name: str, theirs: str, ours: str, stream: bool) -> None:
    message = {"role": "assistant", "content": "好"}
    whole = {"choices": [{"index": 0, "message": message, "finish_reason": theirs}]}
    streamed = faults.stream(event(SAY), event(piece(theirs)), DONE, pause_s=0.01)
    async with service(name, streamed if stream else faults.json(200, whole)) as (router, _, __):
        client = ChatClient(router)
        if ours == "cut":
            with pytest.raises(UpstreamCut):
                if stream:
                    _ = [each async for each in client.stream(ASK, 1)]
                else:
                    await client.complete(ASK, 1)
            return
        if stream:
            ends = [each.finish_reason async for each in client.stream(ASK, 1)]
            assert ends[-1] == ours
        else:
            assert (await client.complete(ASK, 1)).finish_reason == ours


async def test_bytes_pass_untouched_where_nothing_has_to_change() -> None:
    blocks = DOUBLES["doubao-seed-1.8"].stream
    async with service("doubao-seed-1.8", faults.stream(*blocks)) as (router, seen, upstream):
        sent = b'{ "messages" : [], "model": "chat", "x":1.50, "stream":true }'
        async with router.open("chat", Call("chat/completions", sent, 1, True)) as reply:
            assert b"".join([block async for block in reply.chunks()]) == b"".join(blocks)
    assert seen.bodies[0] == sent.replace(b'"chat"', orjson.dumps(upstream.model))


async def test_thinking_is_off_where_the_answer_is_not_streamed() -> None:
    async with service("qwen-plus", faults.good) as (router, seen, _):
        await ChatClient(router).complete(ASK, 1)
    assert orjson.loads(seen.bodies[0])["enable_thinking"] is False
