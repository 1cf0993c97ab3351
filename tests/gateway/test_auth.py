"""The bearer key in a header."""

import pytest

from zhengwu.gateway.auth import bearer
from zhengwu.gateway.errors import KeyRefused


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic zw-x", "zw-x"])
def test_headers_without_a_key(header: str | None) -> None:
    with pytest.raises(KeyRefused):
        bearer(header)


def test_the_scheme_may_be_written_small() -> None:
    assert bearer("bearer  zw-x ") == "zw-x"
