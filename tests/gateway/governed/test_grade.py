"""The grade of a request: the highest of all grounds, and every doubt raises it."""

import base64
import json
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from zhengwu.gateway.errors import BadBody, GradeTooHigh, SecretRefused
from zhengwu.gateway.governed.caller import Caller
from zhengwu.gateway.governed.grade import Grading
from zhengwu.gateway.governed.sessions import LocalSessions
from zhengwu.pii.detect import Finding

CALLER = Caller("k1", "某应用", ("province", "city"))
MOBILE = "13800138000"
PLAIN: dict[str, Any] = {"messages": [{"role": "user", "content": "居住证怎么办理？"}]}


@pytest.fixture
def grading() -> Grading:
    return Grading(LocalSessions())


def data_url(text: str) -> str:
    return f"data:text/plain;base64,{base64.b64encode(text.encode()).decode()}"


async def test_what_is_not_declared_stays_on_the_pool(grading: Grading) -> None:
    graded = await grading.grade_request(CALLER, None, PLAIN)
    assert graded.grade == 3
    assert "未申报" in graded.reason
    told = replace(CALLER, undeclared_grade=2)
    assert (await grading.grade_request(told, None, PLAIN)).grade == 2


@pytest.mark.parametrize("declared", [1, 2, 3])
async def test_a_declaration_holds_where_nothing_is_found(grading: Grading, declared: int) -> None:
    graded = await grading.grade_request(CALLER, str(declared), PLAIN)
    assert (graded.grade, graded.body) == (declared, PLAIN)


@pytest.mark.parametrize("declared", ["", "0", "5", "1.0", "公开", "１"])
async def test_a_word_that_is_no_grade(grading: Grading, declared: str) -> None:
    with pytest.raises(BadBody, match="1、2、3 或 4"):
        await grading.grade_request(CALLER, declared, PLAIN)


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"content": [{"type": "text", "text": f"请致电 {MOBILE}"}]}]},
        {MOBILE: 1},
        {"a": [{"b": {"c": [[f"电话{MOBILE}"]]}}]},
        {"user_phone": int(MOBILE)},
        {"user_phone": float(MOBILE)},
        {"tools": [{"function": {"arguments": json.dumps({"tel": MOBILE})}}]},
        {"x": json.dumps({"y": json.dumps([int(MOBILE)])})},
        {"x": '{"tel": "\\u0031\\u00338\\u00300138000"}'},
        {"file_data": data_url(f"电话{MOBILE}")},
        {"file_data": data_url(json.dumps({"tel": MOBILE}))},
        {"url": f"data:,{MOBILE[:4]}%30{MOBILE[5:]}"},
        {"content": [{"type": "text", "text": "电话138001"}, {"type": "text", "text": "38000。"}]},
    ],
)
async def test_a_number_is_found_wherever_it_hides(grading: Grading, body: object) -> None:
    graded = await grading.grade_request(CALLER, "1", body)
    assert graded.grade == 3
    assert "手机号" in graded.reason
    assert MOBILE not in graded.reason


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"content": [{"type": "image_url", "image_url": {"url": "https://x.cn/a.png"}}]}, "图片"),
        ({"image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}, "图片"),
        ({"content": [{"type": "input_audio", "input_audio": {"data": "UklGRg=="}}]}, "音频"),
        ({"content": [{"type": "input_file", "file_id": "f1"}]}, "附件"),
        ({"input": [[101, 2769, 102]]}, "词元序列"),
        ({"prompt": [101, 2769, 102]}, "词元序列"),
        ({"file_data": "data:text/plain;base64,****"}, "无法解码的附件"),
        ({"a": json.loads("[" * 80 + "]" * 80)}, "嵌套过深的内容"),
    ],
)
async def test_what_cannot_be_looked_into_is_sensitive(
    grading: Grading, body: object, told: str
) -> None:
    graded = await grading.grade_request(CALLER, "1", body)
    assert graded.grade == 3
    assert told in graded.reason


async def test_a_key_may_vouch_for_its_images(grading: Grading) -> None:
    body = {"image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    vouching = replace(CALLER, media_grade=1)
    assert (await grading.grade_request(vouching, "1", body)).grade == 1


async def test_a_schema_that_speaks_of_files_is_no_file(grading: Grading) -> None:
    body = {"tools": [{"parameters": {"type": "object", "properties": {"f": {"type": "string"}}}}]}
    assert (await grading.grade_request(CALLER, "1", body)).grade == 1


async def test_grade_4_is_refused_at_the_door(grading: Grading) -> None:
    with pytest.raises(SecretRefused, match="保密"):
        await grading.grade_request(replace(CALLER, grade_ceiling=4), "4", PLAIN)


@pytest.mark.parametrize("text", ["机密★10年\n关于某工作的请示", "请润色：【绝密】"])
async def test_a_secrecy_mark_is_refused_whatever_was_declared(grading: Grading, text: str) -> None:
    with pytest.raises(SecretRefused, match="密级标志"):
        await grading.grade_request(CALLER, "1", {"messages": [{"content": text}]})


async def test_a_work_secret_stays_on_the_pool(grading: Grading) -> None:
    body = {"messages": [{"content": "内部资料，注意保存。请概括。"}]}
    assert (await grading.grade_request(CALLER, "1", body)).grade == 3


async def test_an_address_to_be_opened_stays_on_the_pool(grading: Grading) -> None:
    body = {"tools": [{"type": "mcp", "server_url": "https://outside.example/mcp"}]}
    assert (await grading.grade_request(CALLER, "1", body)).grade == 3


async def test_above_the_callers_ceiling(grading: Grading) -> None:
    low = replace(CALLER, grade_ceiling=2)
    with pytest.raises(GradeTooHigh, match="2 级"):
        await grading.grade_request(low, "3", PLAIN)
    with pytest.raises(GradeTooHigh):
        await grading.grade_request(low, None, PLAIN)
    assert (await grading.grade_request(low, "2", PLAIN)).grade == 2


async def test_quoted_knowledge_counts(grading: Grading) -> None:
    assert (await grading.grade_request(CALLER, "1", PLAIN, knowledge=2)).grade == 2


@pytest.mark.parametrize(
    "named",
    [
        {"user": "u"},
        {"conversation": "c"},
        {"conversation": {"id": "c"}},
        {"metadata": {"conversation": "c"}},
        {"previous_response_id": "r"},
    ],
)
async def test_a_conversation_does_not_forget(grading: Grading, named: dict[str, Any]) -> None:
    sensitive = {**PLAIN, **named, "input": MOBILE}
    assert (await grading.grade_request(CALLER, "1", sensitive)).grade == 3
    graded = await grading.grade_request(CALLER, "1", {**PLAIN, **named})
    assert graded.grade == 3
    assert "会话" in graded.reason
    # Nobody meets another tenant's conversation.
    other = replace(CALLER, tenant_path=("province", "other"))
    assert (await grading.grade_request(other, "1", {**PLAIN, **named})).grade == 1


async def test_a_session_by_header_and_an_answer_by_its_id(grading: Grading) -> None:
    await grading.grade_request(CALLER, "2", PLAIN, session="s1")
    assert (await grading.grade_request(CALLER, "1", PLAIN, session="s1")).grade == 2
    assert (await grading.grade_request(CALLER, "1", PLAIN, session="s2")).grade == 1
    await grading.remember(CALLER, ["resp_1"], 3)
    followed = {**PLAIN, "previous_response_id": "resp_1"}
    assert (await grading.grade_request(CALLER, "1", followed)).grade == 3


async def test_sessions_are_bounded() -> None:
    sessions = LocalSessions(kept=2)
    for key in "abc":
        await sessions.carry([key], 3)
    assert [await sessions.grade([key]) for key in "abc"] == [1, 3, 3]


async def test_a_detector_that_fails_or_is_late_fails_closed() -> None:
    def fails(text: str) -> Sequence[Finding]:
        raise ValueError(text)

    def slow(text: str) -> Sequence[Finding]:
        time.sleep(0.03)
        return []

    for detects, body, told in (
        (fails, PLAIN, "检测失败"),
        (slow, PLAIN, "检测超时"),
        (slow, {"x": "长" * 30_000}, "检测超时"),
    ):
        graded = await Grading(LocalSessions(), detects, 0.01).grade_request(CALLER, "1", body)
        assert graded.grade == 3
        assert told in graded.reason


class Down:
    """A store that does not answer."""

    async def grade(self, keys: Sequence[str]) -> int:
        raise OSError("down")

    async def carry(self, keys: Sequence[str], grade: int) -> None:
        raise OSError("down")


async def test_a_session_store_that_does_not_answer_fails_closed() -> None:
    graded = await Grading(Down()).grade_request(CALLER, "1", {**PLAIN, "user": "u"})
    assert graded.grade == 3
