"""Distinct request bodies: ordinary Chinese questions of 200 characters. Knows no network."""

import itertools
import random
from collections.abc import Iterator

import orjson

CHARACTERS = 200
_DIGITS = "零一二三四五六七八九"
_WHO = ("我母亲", "我家孩子", "我们公司", "邻居一家", "刚毕业的同事", "社区的老人", "外地来的亲戚")
_DO = (
    "想办理居住证签注",
    "打算申请公租房补贴",
    "准备变更营业执照的经营范围",
    "需要补缴养老保险",
    "想把医保关系转回户籍地",
    "要给老房子加装电梯",
    "准备申请创业担保贷款",
    "想给孩子办理跨区转学",
)
_ASK = (
    "请问需要带哪些材料",
    "窗口周末是否上班",
    "能不能在网上全程办理",
    "从受理到办结要多少个工作日",
    "可不可以由家人代办",
    "如果材料不全是否可以先受理后补",
    "收费标准是按什么文件执行的",
    "不同意见应当向哪个部门反映",
)


def questions(seed: int) -> Iterator[str]:
    """Questions of `CHARACTERS` characters without end.

    A number in words makes each distinct within a seed, the sentences between seeds.
    """
    chance = random.Random(seed)
    for number in itertools.count(1):
        text = f"第{''.join(_DIGITS[int(d)] for d in str(number))}号来信："
        while len(text) < CHARACTERS:
            text += f"{chance.choice(_WHO)}{chance.choice(_DO)}，{chance.choice(_ASK)}？"
        yield text[:CHARACTERS]


def bodies(model: str, seed: int, stream_tokens: int = 0) -> Iterator[bytes]:
    """Bodies for `POST /v1/chat/completions`; with `stream_tokens`, of streams that long."""
    for text in questions(seed):
        body: dict[str, object] = {
            "model": model,
            "messages": [{"role": "user", "content": text}],
            "max_tokens": stream_tokens or 32,
        }
        if stream_tokens:
            body["stream"] = True
        yield orjson.dumps(body)
