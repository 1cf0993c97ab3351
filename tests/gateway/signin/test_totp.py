"""One-time codes: the vectors of RFC 6238, and clocks that are off."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.gateway.signin.totp import (
    STEP_S,
    address,
    code_at,
    new_secret,
    recovery_codes,
    step_of,
    written,
)

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("moment", "code"),
    [
        (59, "94287082"),
        (1111111109, "07081804"),
        (1111111111, "14050471"),
        (1234567890, "89005924"),
        (2000000000, "69279037"),
        (20000000000, "65353130"),
    ],
)
def test_the_vectors_of_the_rfc(moment: int, code: str) -> None:
    assert code_at(SECRET, moment // STEP_S, digits=8) == code
    assert step_of(SECRET, code[2:], moment) == moment // STEP_S


@given(st.integers(0, 2**40), st.integers(-3, 3))
def test_a_clock_may_be_one_step_off(moment: int, off: int) -> None:
    secret = new_secret()
    step = moment // STEP_S + off
    if step < 0:
        return
    found = step_of(secret, code_at(secret, step), moment)
    if abs(off) <= 1:  # another step may have the same code, once in a million
        assert found is not None and code_at(secret, found) == code_at(secret, step)
    else:
        assert found != step


@pytest.mark.parametrize(
    "code", ["", "12345", "1234567", "１２３４５６", "12345a", "²²²²²²", "x" * 10**5]
)
def test_what_is_no_code(code: str) -> None:
    assert step_of(SECRET, code, 59) is None


def test_what_an_app_reads() -> None:
    assert written(SECRET) == "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
    assert address(SECRET, "张三").startswith("otpauth://totp/")
    assert len(set(recovery_codes())) == 10
