"""Placeholders out, values back: nothing personal is left, and every answer is restored."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import Graded, Grading
from zhengwu.gateway.governed.pseudonyms import Pseudonyms, pseudonymised
from zhengwu.gateway.governed.restore import Restore
from zhengwu.gateway.governed.sessions import LocalSessions
from zhengwu.pii.detect import detect

detect("数据在此读入")  # the first call reads the lexicon, which no example should pay for

ALLOWED = Caller("k1", "某应用", ("city",), pseudonymise=True)
MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)
NAMES = st.sampled_from(["李建国", "王秀英", "张伟", "陈晓明"])
VALUES = {
    "【姓名1】": "李建国",
    "【手机号1】": "13800138000",
    "【详细地址1】": '人民路1号\n"3栋"2室',
}
RESTORE = Restore(Pseudonyms(VALUES))


def asked(text: str) -> dict[str, Any]:
    return {"model": "chat", "messages": [{"role": "user", "content": text}]}


async def graded(body: object, declared: str | None = "1", caller: Caller = ALLOWED) -> Graded:
    return await Grading(LocalSessions()).grade_request(caller, declared, body)


@given(NAMES, MOBILES, MOBILES)
def test_one_value_has_one_placeholder_and_nothing_is_left(
    name: str, first: str, second: str
) -> None:
    text = f"联系人：{name}，电话{first}。再打{second}，不行再打{first}。"
    body, pseudonyms = pseudonymised(asked(text), detect)
    out = json.dumps(body, ensure_ascii=False)
    assert name not in out
    assert first not in out
    assert second not in out
    assert detect(out) == []
    assert out.count("【手机号1】") == (2 if first != second else 3)
    assert pseudonyms.restored(out) == json.dumps(asked(text), ensure_ascii=False)


def test_a_placeholder_that_the_caller_wrote_is_not_ours() -> None:
    body, pseudonyms = pseudonymised(asked("【手机号1】是什么？我的电话13800138000"), detect)
    assert body == asked("【手机号1】是什么？我的电话【手机号2】")
    assert (
        pseudonyms.restored("【手机号1】【手机号2】【手机号3】")
        == "【手机号1】13800138000【手机号3】"
    )


async def test_grade_3_leaves_as_1_once_its_values_are_placeholders() -> None:
    done = await graded(asked("我叫李建国，电话13800138000，居住证怎么办？"))
    assert done.grade == 1
    assert done.restore is not None
    assert done.body == asked("我叫【姓名1】，电话【手机号1】，居住证怎么办？")
    assert "占位符" in done.reason
    assert "李建国" not in done.reason


@pytest.mark.parametrize("declared", ["3", None])
async def test_what_is_declared_or_undeclared_3_stays(declared: str | None) -> None:
    done = await graded(asked("电话13800138000"), declared)
    assert (done.grade, done.restore) == (3, None)


@pytest.mark.parametrize(
    "extra",
    [
        {"13800138000": 1},
        {"phone": 13800138000},
        {"file_data": "data:text/plain;base64,MTM4MDAxMzgwMDA="},
        {"x": '{"tel": "\\u0031\\u00338\\u00300138000"}'},
        {"image_url": {"url": "data:image/png;base64,aaaa"}},
        {"note": "内部资料，注意保存"},
    ],
)
async def test_what_is_still_found_afterwards_keeps_it_on_the_pool(extra: dict[str, Any]) -> None:
    body = {**asked("电话13900139000"), **extra}
    done = await graded(body)
    assert (done.grade, done.restore, done.body) == (3, None, body)


async def test_only_where_the_tenant_allows_it() -> None:
    done = await graded(asked("电话13800138000"), caller=replace(ALLOWED, pseudonymise=False))
    assert (done.grade, done.restore) == (3, None)


def test_a_whole_answer() -> None:
    answer = {
        "choices": [
            {
                "message": {
                    "content": "请致电【手机号1】找【姓名1】，【姓名2】不认识。",
                    "tool_calls": [{"function": {"arguments": '{"to": "\\u3010详细地址1】"}'}}],
                }
            }
        ]
    }
    message = json.loads(RESTORE.whole(json.dumps(answer).encode()))["choices"][0]["message"]
    assert message["content"] == "请致电13800138000找李建国，【姓名2】不认识。"
    arguments = message["tool_calls"][0]["function"]["arguments"]
    assert json.loads(arguments) == {"to": VALUES["【详细地址1】"]}


PIECES = st.lists(
    st.one_of(
        st.sampled_from([*VALUES, "【", "】", "【姓名", "1】", "【姓名9】", "\\"]),
        st.text(max_size=5),
    ),
    max_size=8,
)


def cut(text: str, places: list[int]) -> list[str]:
    at = sorted({place % (len(text) + 1) for place in places})
    return [text[a:b] for a, b in zip([0, *at], [*at, len(text)], strict=True)]


async def restored(events: list[bytes], places: list[int]) -> list[Any]:
    whole = b"".join(b"data: " + event + b"\n\n" for event in events)
    blocks = [piece.encode("latin-1") for piece in cut(whole.decode("latin-1"), places)]

    async def chunks() -> AsyncIterator[bytes]:
        for block in blocks:
            yield block

    out = b"".join([block async for block in RESTORE.stream(chunks())])
    data = [event.removeprefix(b"data: ") for event in out.split(b"\n\n") if event]
    return [json.loads(each) if each != b"[DONE]" else None for each in data]


def delta(choice: int, last: bool = False, **given: Any) -> bytes:
    row = {"index": choice, "delta": given, "finish_reason": "stop" if last else None}
    return json.dumps({"choices": [row]}).encode()


@given(
    PIECES, st.lists(st.integers(0, 400), max_size=6), st.lists(st.integers(0, 9999), max_size=9)
)
async def test_a_stream_cut_anywhere_says_what_the_whole_would(
    pieces: list[str], cuts: list[int], breaks: list[int]
) -> None:
    text = "".join(pieces)
    other = "乙：" + text
    events: list[bytes] = []
    for part in cut(text, cuts):
        events += [delta(0, content=part), delta(1, content=part)]
    events = [delta(1, content="乙："), *events, delta(0, True), delta(1, True), b"[DONE]"]
    out = await restored(events, breaks)
    assert out[-1] is None
    for choice, whole in ((0, text), (1, other)):
        said = "".join(
            row["delta"].get("content", "")
            for event in out[:-1]
            for row in event["choices"]
            if row["index"] == choice
        )
        assert said == RESTORE.pseudonyms.restored(whole)
    ends = [i for i, e in enumerate(out[:-1]) if e["choices"][0]["finish_reason"]]
    assert len(ends) == 2, "no end is said twice"


@given(st.lists(st.integers(0, 60), max_size=6))
async def test_tool_arguments_in_pieces(cuts: list[int]) -> None:
    arguments = json.dumps(
        {"地址": "【详细地址1】", "人": "【姓名1】"}, ensure_ascii=bool(len(cuts) % 2)
    )
    events = [
        delta(0, tool_calls=[{"index": 0, "function": {"arguments": part}}])
        for part in cut(arguments, cuts)
    ]
    out = await restored([*events, delta(0, True), b"[DONE]"], [])
    said = "".join(
        call["function"]["arguments"]
        for event in out[:-1]
        for row in event["choices"]
        for call in row["delta"].get("tool_calls", [])
    )
    assert json.loads(said) == {"地址": VALUES["【详细地址1】"], "人": "李建国"}


async def test_the_events_of_responses() -> None:
    kind = "response.output_text.delta"
    events = [
        {"type": kind, "item_id": "m", "output_index": 0, "content_index": 0, "delta": "找【姓"},
        {"type": kind, "item_id": "m", "output_index": 0, "content_index": 0, "delta": "名1】和【"},
        {"type": "response.output_text.done", "item_id": "m", "text": "找【姓名1】和【"},
    ]
    out = await restored([json.dumps(event).encode() for event in events], [])
    assert "".join(e["delta"] for e in out if e["type"] == kind) == "找李建国和【"
    assert out[-1]["text"] == "找李建国和【"
