"""Secrecy marks: a mark is found however it is set, and speaking of secrets is none."""

import pytest

from zhengwu.pii.marks import marks


@pytest.mark.parametrize(
    "text",
    [
        "机密★10年\n关于某工作的通知",
        "绝 密 ★ 长期",
        "秘密☆",
        "机\u200b密★二十年",
        "【绝密】",
        "密级：机密",
        "这份文件属于国家秘密，请帮我概括",
        "以下材料为机密级，请润色",
        "機密★5年",
    ],
)
def test_secrets(text: str) -> None:
    assert [mark.grade for mark in marks(text)][:1] == [4]


@pytest.mark.parametrize(
    "text",
    ["内部资料，注意保存", "仅供内部使用", "【内部资料】\n请阅", "拟提拔人选名单（尚未公布）"],
)
def test_work_secrets(text: str) -> None:
    assert [mark.grade for mark in marks(text)] == [3]


@pytest.mark.parametrize(
    "text",
    [
        "绝密、机密、秘密三级怎么区分？",
        "国家秘密的保密期限是多久？",
        "泄露机密级文件要负什么责任？",
        "商业秘密怎么保护？",
        "企业内部资料被盗怎么办？",
        "干部考察的程序是什么？",
        "军事设施保护区在哪里申请建房？",
        "政务信息不予公开的情形有哪些？",
        "工作秘密和国家秘密有什么不同？",
        "",
    ],
)
def test_speaking_of_secrets_is_none(text: str) -> None:
    assert marks(text) == []
