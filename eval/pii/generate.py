"""Look for personal data in every case, and write numbers in the many ways people write them."""

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, model_validator

from zhengwu.eval.cases import read_lines
from zhengwu.pii.checks import CHECK, CODE_SIGNS, CODE_WEIGHTS, WEIGHTS, luhn_valid
from zhengwu.pii.detect import Finding, detect


class Entity(BaseModel):
    """One stretch of personal data, [start, end) in characters."""

    model_config = ConfigDict(frozen=True)
    start: int
    end: int
    kind: str


class Case(BaseModel):
    """One line of a case file."""

    model_config = ConfigDict(frozen=True)
    text: str
    entities: tuple[Entity, ...] = ()

    @model_validator(mode="after")
    def _inside(self) -> "Case":
        for entity in self.entities:
            if not 0 <= entity.start < entity.end <= len(self.text):
                raise ValueError(f"{entity.start}–{entity.end} is not inside the text")
        return self


@dataclass(frozen=True)
class Looked:
    """A case, what was found, and how long it took."""

    case: Case
    found: tuple[Finding, ...]
    seconds: float


def read(path: Path) -> list[Case]:
    """Every case of a file.

    Raises:
        BadCases: the file is missing or a line is not what it should be.
    """
    return read_lines(path, Case)


def look(cases: Sequence[Case]) -> list[Looked]:
    """Run the detector over every case."""
    detect("我叫张三，住人民路1号，电话13800138000")  # reads its data once
    looked: list[Looked] = []
    for case in cases:
        began = time.perf_counter()
        found = tuple(detect(case.text))
        looked.append(Looked(case, found, time.perf_counter() - began))
    return looked


def identity_card(draw: random.Random) -> str:
    """A number of a person who does not exist, with its check digit."""
    born = f"{draw.randint(1930, 2020)}{draw.randint(1, 12):02}{draw.randint(1, 28):02}"
    body = f"{draw.randint(11, 65)}{draw.randint(1, 99):02}{draw.randint(1, 99):02}{born}"
    body += f"{draw.randint(1, 999):03}"
    return body + CHECK[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


def bank_card(draw: random.Random) -> str:
    """A card number of 16 or 19 digits that ends in its check digit."""
    size = draw.choice([16, 19])
    body = "62" + "".join(draw.choice("0123456789") for _ in range(size - 3))
    return next(body + digit for digit in "0123456789" if luhn_valid(body + digit))


def credit_code(draw: random.Random) -> str:
    """A unified social credit code with its check sign."""
    body = draw.choice(["91", "92", "93", "11", "12", "51"]) + f"{draw.randint(110000, 659999)}"
    body += "".join(draw.choice(CODE_SIGNS) for _ in range(9))
    total = sum(CODE_SIGNS.index(s) * w for s, w in zip(body, CODE_WEIGHTS, strict=True))
    return body + CODE_SIGNS[-total % 31]


def _groups(*sizes: int) -> Callable[[str], str]:
    def write(number: str) -> str:
        parts: list[str] = []
        at = 0
        for size in sizes:
            parts.append(number[at : at + size])
            at += size
        return " ".join([*parts, number[at:]]).strip()

    return write


def _wide(number: str) -> str:
    return "".join(chr(ord(sign) + 0xFEE0) for sign in number)


def _hidden(number: str) -> str:
    return "\u200b".join((number[:5], number[5:9], number[9:]))


def _broken(number: str) -> str:
    return f"{number[:8]}\n{number[8:]}"


FORMS: dict[str, tuple[Callable[[str], str], ...]] = {
    "identity_card": (str, str.lower, _wide, _hidden, _broken, _groups(6, 8), _groups(6, 4, 4)),
    "bank_card": (str, _wide, _hidden, _groups(4, 4, 4, 4), lambda n: _groups(4, 4, 4, 4)(n)
                  .replace(" ", "-"), _groups(6)),
    "credit_code": (str, str.lower, _wide, _hidden, _groups(2, 6), _groups(4, 4, 4, 4)),
}  # fmt: skip
MAKERS = {"identity_card": identity_card, "bank_card": bank_card, "credit_code": credit_code}
AROUND = {
    "identity_card": ("身份证号{}，请核对。", "本人{}申请补办", "（{}）", "{}"),
    "bank_card": ("卡号：{}", "银行卡号 {} 收不到养老金。", "退到{}这张卡上", "账号{}"),
    "credit_code": ("统一社会信用代码：{}", "我公司（{}）申请开办", "代码 {} 查询", "{}"),
}


def written(count: int, seed: int) -> list[Case]:
    """`count` sentences with a number of each kind that carries a check digit."""
    draw = random.Random(seed)
    cases: list[Case] = []
    for kind, make in MAKERS.items():
        for _ in range(count):
            value = draw.choice(FORMS[kind])(make(draw))
            before, after = draw.choice(AROUND[kind]).split("{}")
            entity = Entity(start=len(before), end=len(before) + len(value), kind=kind)
            cases.append(Case(text=before + value + after, entities=(entity,)))
    return cases
