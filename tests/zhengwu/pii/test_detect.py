"""Personal data: what is found, what is not, and that masking moves nothing."""

from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from zhengwu.pii.detect import CHECK, WEIGHTS, detect, identity_card_valid, luhn_valid, mask

detect("数据在此读入")  # the first call reads the lexicon, which no example should pay for

DIGITS = st.text("0123456789", min_size=14, max_size=18)
BORN = st.dates(date(1900, 1, 1), date(2024, 12, 31))
WIDE = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")


def identity_card(area: int, born: date, order: int) -> str:
    body = f"{area}{born:%Y%m%d}{order:03d}"
    return body + CHECK[sum(int(d) * w for d, w in zip(body, WEIGHTS, strict=True)) % 11]


IDENTITY_CARDS = st.builds(identity_card, st.integers(110000, 659999), BORN, st.integers(0, 999))
MOBILES = st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True)


@st.composite
def bank_cards(draw: st.DrawFn) -> str:
    body = draw(st.sampled_from(["62", "4", "5", "35", "37", "9558"])) + draw(DIGITS)
    body = body[: draw(st.integers(14, 18))]
    return next(body + d for d in "0123456789" if luhn_valid(body + d))


def kinds(text: str) -> list[str]:
    return [finding.kind for finding in detect(text)]


def test_published_numbers() -> None:
    assert identity_card_valid("11010519491231002X")  # the example of GB 11643-1999
    assert identity_card_valid("440524188001010014")  # its second one
    assert luhn_valid("79927398713")  # ISO/IEC 7812-1, annex B


@given(IDENTITY_CARDS)
def test_every_identity_card_is_found(number: str) -> None:
    for text in (number, number.lower(), number.translate(WIDE), f"{number[:6]} {number[6:]}"):
        found = detect(f"身份证号{text}，请查")
        assert [(f.kind, f.start, f.end) for f in found] == [("identity_card", 4, 4 + len(text))], (
            text
        )


@given(IDENTITY_CARDS, st.integers(0, 17), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(number: str, place: int, shift: int) -> None:
    if not number[place].isdigit():
        return
    wrong = number[:place] + str((int(number[place]) + shift) % 10) + number[place + 1 :]
    # The last place may also be X; changing one digit never leaves the sum as it was.
    assert not identity_card_valid(wrong)


@given(st.text(max_size=20))
def test_no_text_breaks_the_checksums(text: str) -> None:
    identity_card_valid(text)


@given(bank_cards())
def test_every_bank_card_is_found(number: str) -> None:
    grouped = " ".join(number[at : at + 4] for at in range(0, len(number), 4))
    # A number that is also an identity card or reads as one is masked all the same.
    assert kinds(f"卡号{number}。") in (["bank_card"], ["identity_card"])
    if len(number) >= 16:
        assert mask(f"卡号{grouped}。").count("*") >= 19


@given(bank_cards(), st.integers(1, 9))
def test_a_wrong_check_digit_is_no_bank_card(number: str, shift: int) -> None:
    wrong = number[:-1] + str((int(number[-1]) + shift) % 10)
    assert "bank_card" not in kinds(wrong)


@given(MOBILES)
def test_every_mobile_is_found_however_it_is_written(number: str) -> None:
    written = [
        number,
        f"+86{number}",
        f"+86 {number}",
        f"86-{number}",
        number.translate(WIDE),
        f"{number[:3]} {number[3:7]} {number[7:]}",
        f"{number[:3]}-{number[3:7]}-{number[7:]}",
        f"{number[:7]} {number[7:]}",
        " ".join(number),
    ]
    for text in written:
        found = detect(f"电话：{text}，谢谢")
        assert [(f.kind, f.start, f.end) for f in found] == [("mobile", 3, 3 + len(text))], text


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("010-12345678", None),  # no subscriber begins with 1
        ("010-62345678", "landline"),
        ("0571 87654321", "landline"),
        ("（0771）2818453", "landline"),
        ("0771—5860326", "landline"),
        ("zhang.san+a@mail.example.gov.cn", "email"),
        ("粤B12345", "plate"),
        ("京A·D12345", "plate"),
        ("沪Ａ１２３４５", "plate"),
    ],
)
def test_other_kinds(text: str, kind: str | None) -> None:
    assert kinds(f"请联系{text}。") == ([kind] if kind else [])


@pytest.mark.parametrize(
    "text",
    [
        "国发〔2024〕13号、京政办发〔2019〕12号、第45条第3款",
        "2024年1月1日至2024年12月31日，2024-01-01 2024-12-31，20240101-20241231",
        "投资13000000000元，¥15800000000，约13900000000 元，13800000000万元",
        "增长0.13800138000，占比3.1415926535897932",
        "1500 2000 300；1978-2018 123；1949 1954 1982",
        "3500 4200 5100 6300",
        "面积12345678.90平方米，13,000,000,000元",
        "统一社会信用代码91350100M000100Y44，行政区划代码110105",
        "编号001-20240101，编号150-20240301，GB 11643-1999，ISBN 978-7-302-51111-1",
        "云CHATGPT，新GDPPPP，12345热线，110、120、12315",
        "@某人，a@b，第1@2章",
    ],
)
def test_ordinary_figures_are_left_alone(text: str) -> None:
    assert detect(text) == []


@given(st.decimals(0, 10**13, places=2), st.sampled_from(["元", "万元", "亿元"]))
def test_amounts_are_left_alone(amount: object, unit: str) -> None:
    assert kinds(f"补贴{amount}{unit}") == []
    assert kinds(f"补贴{amount:,}{unit}") == []


@given(st.dates(date(1949, 1, 1), date(2099, 12, 31)), st.integers(1, 999))
def test_dates_and_document_numbers_are_left_alone(day: date, number: int) -> None:
    assert detect(f"{day:%Y%m%d} {day:%Y-%m-%d} {day.year}年{day.month}月{day.day}日") == []
    assert detect(f"示政发〔{day.year}〕{number}号") == []


PIECES = st.one_of(
    st.text(max_size=8),
    IDENTITY_CARDS,
    bank_cards(),
    MOBILES,
    st.sampled_from([" ", "-", "a@b.cn"]),
)


@given(st.lists(PIECES, max_size=6).map("".join))
@example("Ⅷ１３８００１３８０００𠀀")
def test_masking_keeps_length_and_everything_else(text: str) -> None:
    masked = mask(text)
    assert len(masked) == len(text)
    findings = detect(text)
    inside = {at for f in findings for at in range(f.start, f.end)}
    for at, (before, after) in enumerate(zip(text, masked, strict=True)):
        assert after == ("*" if at in inside else before)
    ends = [0, *(end for f in findings for end in (f.start, f.end))]
    assert ends == sorted(ends), "in order, none overlapping"


def test_neighbours_are_both_masked() -> None:
    text = "卡4111111111111111 123，电话13800138000/13900139000，证11010519491231002X"
    assert kinds(text) == ["bank_card", "mobile", "mobile", "identity_card"]
    assert mask(text).startswith("卡**************** 123")


@pytest.mark.parametrize("unit", ["a", "a.", "a@", "9", "6 ", "1-", "粤A", "+86 "])
def test_long_hostile_text_takes_no_long_time(unit: str) -> None:
    detect(unit * (200_000 // len(unit)))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("我叫张三，想问居住证怎么办", "张三"),
        ("联系人：李建国", "李建国"),
        ("姓名：欧阳锋", "欧阳锋"),
        ("申请人陈晓明的材料齐全", "陈晓明"),
        ("请问张伟的公积金账户余额", "张伟"),
        ("我儿子王子轩今年六岁", "王子轩"),
        ("社区主任周志强表示支持", "周志强"),
        ("建筑师迈克尔·科尔出席", "迈克尔·科尔"),
    ],
)
def test_names_in_context(text: str, name: str) -> None:
    found = [text[f.start : f.end] for f in detect(text) if f.kind == "name"]
    assert found == [name]


@pytest.mark.parametrize(
    "text",
    [
        "王女士反映路灯坏了",
        "居民委员会主任负责召集",
        "高新区安全生产应当成为常态",
        "任何单位和个人应当符合规定",
        "时间方面，关于高考的管理办法何时施行？",
        "哈萨克斯坦人怎么办签证？",
        "家里有温馨的灯，高峰时段限行",
    ],
)
def test_no_name_where_there_is_none(text: str) -> None:
    assert [f for f in detect(text) if f.kind == "name"] == []


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("统一社会信用代码91350100M000100Y43", "credit_code"),
        ("代码 9135 0100 M000 100Y 43", "credit_code"),
        ("护照号E12345678", "passport"),
        ("港澳通行证C12345678", "passport"),
        ("电话０１０６２３４５６７８", "landline"),
        ("手机一三八零零一三八零零零", "mobile"),
        ("手机壹叁捌零零壹叁捌零零零", "mobile"),
        ("手机1 3 8-0 0 1 3-8 0 0 0", "mobile"),
        ("手機13800\n138000", "mobile"),
        ("138\u200b0013\u200d8000", "mobile"),
        ("身份证号110105491231002", "identity_card"),
        ("身份證 110105 19491231 002X", "identity_card"),
        ("11010519491231\n002X", "identity_card"),
        ("卡号 6222 0212 3456 7890 128", "bank_card"),
        ("粤BD12345", "plate"),
        ("示范市城东区人民路12号3栋2单元501室", "address"),
        ("住幸福小区3栋2單元501", "address"),
        ("五里鎮王家村三组12號", "address"),
    ],
)
def test_many_written_forms(text: str, kind: str) -> None:
    assert kinds(text) == [kind]
