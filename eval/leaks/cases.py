"""Writes requests that must stay and requests that may go, with everything that may go wrong.

Every value is generated and belongs to nobody. Knows no gateway.
"""

import base64
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from zhengwu.eval.pii import addresses
from zhengwu.eval.pii.generate import bank_card, credit_code, identity_card

QUESTIONS = (
    "居住证怎么办理？",
    "新生儿落户需要哪些材料？",
    "公积金提取多久到账？",
    "灵活就业人员怎么参保？",
    "老旧小区加装电梯有补贴吗？",
    "个体工商户怎么注销？",
    "异地就医如何备案？",
    "创业担保贷款额度多少？",
    "请写一段关于垃圾分类的宣传语。",
    "把下面的通知改得更简洁：明天上午开会。",
    "什么是一网通办？",
)
ORDERS = ("outside_first", "pool_first", "fallback")
FAULTS = (
    "none", "pool_down", "pool_reset", "pool_500", "pool_503", "pool_cut", "pool_empty",
    "pool_redirects", "outside_500", "detector_slow", "detector_fails", "sessions_down",
    "limits_down",
)  # fmt: skip
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"base_url": "https://outside.example/v1", "api_base": "https://outside.example/v1"},
    {"extra_headers": {"X-Data-Grade": "1"}, "extra_body": {"grade": 1}},
    {"grade": 1, "data_grade": 1, "upstream": "outside", "metadata": {"grade": "1"}},
    {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]},
    {"fallbacks": [{"chat": ["outside"]}], "api_key": "sk-own", "num_retries": 9},
)


@dataclass(frozen=True)
class LeakCase:
    """One request. `stays`: the outside may not see it; `value`: nor may it ever see this."""

    marker: str
    body: dict[str, Any]
    declared: str | None
    order: str
    fault: str
    stays: bool
    value: str = ""
    session: str | None = None
    pseudonymise: bool = False
    headers: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def must_arrive(self) -> bool:
        """Whether the outside is where this public request belongs, and nothing keeps it here."""
        sound = not self.fault.startswith(("detector", "sessions", "limits", "outside"))
        return not self.stays and not self.value and sound and self.order == "outside_first"


def _mobile(draw: random.Random) -> str:
    return f"1{draw.choice('3456789')}{draw.randint(0, 999_999_999):09d}"


def _plate(draw: random.Random) -> str:
    return f"粤{draw.choice('ABCDE')}{draw.choice('DF')}{draw.randint(10_000, 99_999)}"


def _name(draw: random.Random) -> str:
    return draw.choice(["李", "王", "张", "陈", "周", "赵"]) + draw.choice(
        ["建国", "秀英", "晓明", "志强", "丽华", "海燕"]
    )


VALUES: dict[str, Callable[[random.Random], str]] = {
    "身份证号{}": identity_card,
    "银行卡号{}": bank_card,
    "信用代码{}": credit_code,
    "电话{}": _mobile,
    "手机号是 {} ": _mobile,
    "车牌{}": _plate,
    "护照号{}": lambda draw: f"E{draw.randint(10_000_000, 99_999_999)}",
    "固话{}": lambda draw: f"0{draw.choice(['10', '21'])}-{draw.randint(20_000_000, 89_999_999)}",
    "邮箱{}": lambda draw: f"u{draw.randint(1000, 999_999)}@mail.example.cn",
    "我住在{}，": addresses.road_and_number,
    "家庭住址：{}。": addresses.rural,
    "姓名：{}，": _name,
}
SECRETS = ("机密★10年 ", "【绝密】\n", "密级：秘密。", "内部资料，注意保存。")


def _plainly(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def _in_parts(text: str) -> dict[str, Any]:
    half = len(text) // 2
    parts = [{"type": "text", "text": text[:half]}, {"type": "text", "text": text[half:]}]
    return {"messages": [{"role": "user", "content": parts}]}


def _in_arguments(text: str) -> dict[str, Any]:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": json.dumps([text])},
    }
    return {
        "messages": [{"role": "assistant", "tool_calls": [call]}, *_plainly("继续")["messages"]]
    }


def _in_a_system_prompt(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "system", "content": text}, *_plainly("请答复")["messages"]]}


def _in_a_field(text: str) -> dict[str, Any]:
    return {**_plainly("请答复"), "metadata": {"note": text}}


def _in_a_key(text: str) -> dict[str, Any]:
    return {**_plainly("请答复"), "metadata": {text: "1"}}


def _in_a_file(text: str) -> dict[str, Any]:
    data = "data:text/plain;base64," + base64.b64encode(text.encode()).decode()
    part = {"type": "file", "file": {"file_data": data}}
    return {"messages": [{"role": "user", "content": [part]}]}


def _twice_wrapped(text: str) -> dict[str, Any]:
    return _plainly(json.dumps({"inner": json.dumps({"text": text})}))


PLACES = (_plainly, _plainly, _in_parts, _in_arguments, _in_a_system_prompt, _in_a_field, _in_a_key,
          _in_a_file, _twice_wrapped)  # fmt: skip


def written(count: int, seed: int = 0) -> Iterator[LeakCase]:
    """`count` requests; those of one conversation follow each other."""
    draw = random.Random(seed)
    made = 0
    while made < count:
        for case in _next(draw, made):
            yield case
            made += 1


def _next(draw: random.Random, number: int) -> list[LeakCase]:
    base = LeakCase(
        marker=f"zx{number:07d}q",
        body={},
        declared="1",
        order=draw.choice(ORDERS),
        fault=draw.choice(FAULTS),
        stays=False,
    )
    turn = draw.random()
    if turn < 0.35:
        return [_asks(draw, base, draw.choice(QUESTIONS))]
    if turn < 0.45:
        declared = draw.choice(["2", "3", "4", None, "9"])
        return [replace(_asks(draw, base, draw.choice(QUESTIONS)), declared=declared, stays=True)]
    if turn < 0.52:
        text = draw.choice(SECRETS) + draw.choice(QUESTIONS)
        return [replace(_asks(draw, base, text), stays=True)]
    if turn < 0.58:
        picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
        body = {
            "messages": [
                {"role": "user", "content": [picture, {"type": "text", "text": base.marker}]}
            ]
        }
        return [replace(base, body=_finished(draw, body), stays=True)]
    found = _holding(draw, base)
    if turn < 0.66:
        # Placeholders may go out, so only the value may not.
        return [replace(found, pseudonymise=True, stays=False, fault="none")]
    if turn < 0.74:
        session = f"s{number}"
        later = replace(base, marker=f"zx{number:07d}r")
        after = replace(_asks(draw, later, draw.choice(QUESTIONS)), session=session, stays=True)
        sure = replace(found, session=session, fault="none")
        return [sure, replace(after, fault=draw.choice(FAULTS[:9]))]
    return [found]


def _asks(draw: random.Random, base: LeakCase, text: str) -> LeakCase:
    body = draw.choice(PLACES[:6])(f"{text} {base.marker}")
    return replace(base, body=_finished(draw, body))


def _holding(draw: random.Random, base: LeakCase) -> LeakCase:
    form = draw.choice(list(VALUES))
    value = VALUES[form](draw)
    text = form.format(value) + draw.choice(QUESTIONS) + f" {base.marker}"
    return replace(base, body=_finished(draw, draw.choice(PLACES)(text)), value=value, stays=True)


def _finished(draw: random.Random, body: dict[str, Any]) -> dict[str, Any]:
    options = draw.choice(OPTIONS)
    metadata = {**body.get("metadata", {}), **options.get("metadata", {})}
    whole = {**body, **options, "stream": draw.random() < 0.5}
    return {**whole, "metadata": metadata} if metadata else whole
