"""Passwords: the rules, and that neither length nor script makes trouble."""

import pytest
from tests.gateway.tenancy.desk import FAST

from zhengwu.gateway.signin.errors import WeakPassword
from zhengwu.gateway.signin.password import check_rules, first_password


@pytest.mark.parametrize(
    "password",
    [
        "",
        "Ab1-",
        "abcdefghijk",
        "abcdefgh123",
        "Aa1Aa1Aa1Aa1",
        "Zhang.San-2026",
        "x" * 100_000,
        "Aa1-" * 25_000,
    ],
)
def test_weak_passwords(password: str) -> None:
    with pytest.raises(WeakPassword):
        check_rules(password, "zhang.san")


@pytest.mark.parametrize(
    "password", ["Mq7-tree-lamp", "correct horse battery staple", "政务平台口令Aa2026"]
)
def test_good_passwords(password: str) -> None:
    check_rules(password, "zhang.san")


def test_first_passwords_keep_the_rules_and_differ() -> None:
    made = {first_password() for _ in range(200)}
    assert len(made) == 200
    assert all(len(one) == 19 for one in made)


async def test_verifying() -> None:
    hashed = await FAST.hash("caf\u00e9-Mq7-lamp")
    assert hashed.startswith("$argon2id$")
    assert await FAST.verify(hashed, "cafe\u0301-Mq7-lamp")  # typed on another keyboard
    for wrong in ("", "caf\u00e9-Mq7-lamp ", "x" * 10**6, "\ud800"):
        assert not await FAST.verify(hashed, wrong)
    assert not await FAST.verify(None, "anything")
    assert not await FAST.verify("no hash at all", "anything")
