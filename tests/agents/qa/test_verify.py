"""A sentence says only what its evidence says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.agents.qa.verify import quoted, supported
from zhengwu.rag.text.numerals import to_chinese

TERM = "登记机构应当自受理申请之日起三十日内办结登记。"


@pytest.mark.parametrize(
    ("sentence", "evidence"),
    [
        ("登记机构应当在三十日内办结登记。", TERM),
        ("登记机构应当在30日内办结登记。", TERM),
        ("登记机构应当在30天内办结登记。", TERM),
        ("登记机构应当在３０日内办结登记。", TERM),
        ("補助標準為每人5000元。", "补助标准为每人五千元。"),
        ("补助标准为每人3.5万元。", "补助标准为每人三万五千元。"),
        ("按百分之三十补助。", "按30%的比例补助。"),
        ("补助不超过两千元。", "补助金额不超过2000元。"),
        ("办理时限为二〇二四年五月。", "办理时限为2024年5月。"),
        ("办理时限为15日至30日。", "办理时限为15至30日。"),
        ("未满十八周岁不予许可。", "不满十八周岁的，不予许可。"),
        ("申请不动产登记应当提交身份证。", "申请不动产登记，应当提交身份证。"),
        ("根据《灯塔条例》应当登记。", "《灯塔条例》规定应当登记。"),
    ],
)
def test_what_the_evidence_says_passes(sentence: str, evidence: str) -> None:
    check = supported(sentence, evidence, "")
    assert check.passed, check.reason


@pytest.mark.parametrize(
    ("sentence", "evidence", "reason"),
    [
        ("登记机构应当在二十日内办结登记。", TERM, "数字"),
        ("登记机构应当在三十年内办结登记。", TERM, "数字"),
        ("登记机构应当在三十个工作日内办结登记。", TERM, "数字"),
        ("登记机构应当在30个月内办结登记。", TERM, "数字"),
        ("按百分之五十补助。", "按百分之三十补助。", "数字"),
        ("补助标准为五万元。", "补助标准为五千元。", "数字"),
        ("依照第五条办理登记。", "第四条 依照规定办理登记。", "数字"),
        ("可以登记，不予处罚。", "可以登记，予以处罚。", "否定"),
        ("灯塔许可可以转让。", "灯塔许可不得转让。", "否定"),
        ("申请不动产登记不需要提交材料。", "申请不动产登记应当提交材料。", "否定"),
        ("补助金额超过两千元。", "补助金额不超过两千元，不得重复。", "否定"),
        ("未成年人可以申请，无须登记。", "未成年人可以申请，应当登记。", "否定"),
        ("通过APP办理登记。", "通过窗口办理登记。", "名称"),
        ("根据《风车条例》应当登记。", "《灯塔条例》规定应当登记。", "名称"),
        ("请到北京大兴机场排队领取礼品。", TERM, "重合"),
        ("", "应当登记。", "重合"),
        ("OK", "OK应当登记。", "重合"),
    ],
)
def test_what_it_does_not_say_fails(sentence: str, evidence: str, reason: str) -> None:
    check = supported(sentence, evidence, "")
    assert not check.passed and reason in check.reason


def test_the_questions_words_count_as_known_but_its_numbers_do_not() -> None:
    question = "用APP能在20日内办结登记吗？"
    assert supported("用APP办结登记。", "登记应当办结。", question).passed
    assert not supported("登记应当在20日内办结。", TERM, question).passed


@given(st.text(alphabet="应当在三十日内办结登记，。 ", min_size=1))
def test_every_stretch_is_a_quotation_of_itself(text: str) -> None:
    assert quoted(text, f"前文{text}后文") == bool(text.strip())


def test_a_quotation_is_equal_but_for_white_space() -> None:
    assert quoted("应当 办结\n登记", TERM.replace("办结", "办\n结").replace("内", "内应当"))
    assert not quoted("应当办结", TERM)
    assert not quoted("", TERM) and not quoted(" \n", TERM)


@given(st.integers(1, 9999), st.integers(1, 9999))
def test_numbers_agree_in_either_script(one: int, other: int) -> None:
    evidence = f"补助标准为每人每年{to_chinese(one)}元。"
    assert supported(f"补助标准为每人每年{one}元。", evidence, "").passed
    assert supported(f"补助标准为每人每年{other}元。", evidence, "").passed == (one == other)
