"""The pool address list: what is on it, and what only looks as if it were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengwu.errors import SettingsError
from zhengwu.models.addresses import PoolAddresses


@pytest.mark.parametrize(
    ("entry", "address", "port", "inside"),
    [
        ("127.0.0.1", "127.0.0.1", 80, True),
        ("127.0.0.1", "127.0.0.2", 80, False),
        ("127.0.0.1", "::ffff:127.0.0.1", 80, True),
        ("127.0.0.1:8901", "127.0.0.1", 8901, True),
        ("127.0.0.1:8901", "127.0.0.1", 8902, False),
        ("10.20.0.0/16", "10.20.255.1", 1, True),
        ("10.20.0.0/16", "10.21.0.1", 1, False),
        ("10.20.0.0/16:443", "10.20.0.1", 443, True),
        ("[fd00::1]:8901", "fd00::1", 8901, True),
        ("fd00::/8", "fd12::1", 5, True),
        ("fd00::/8", "10.0.0.1", 5, False),
        ("127.0.0.1", "127.1", 80, False),
        ("127.0.0.1", "2130706433", 80, False),
        ("127.0.0.1", "0x7f.0.0.1", 80, False),
        ("127.0.0.1", "localhost", 80, False),
    ],
)
def test_addresses(entry: str, address: str, port: int, inside: bool) -> None:
    assert PoolAddresses([entry]).has_address(address, port) is inside


def test_names() -> None:
    pool = PoolAddresses(["gpu-a.internal:8901"])
    assert pool.has_name("GPU-A.internal.", 8901)
    assert not pool.has_name("gpu-a.internal", 80)
    assert not pool.has_name("gpu-a.internal.evil.cn", 8901)
    assert not pool.has_address("gpu-a.internal", 8901)


@pytest.mark.parametrize(
    "entry",
    ["", "0.0.0.0/0", "::/0", "http://a", "a b", "127.1", "10.0.0.1:0", "10.0.0.1:99999", "[::1",
     "10.0.0.5/16"],
)  # fmt: skip
def test_a_wrong_entry_is_refused_at_start(entry: str) -> None:
    with pytest.raises(SettingsError):
        PoolAddresses([entry])


@given(st.ip_addresses(), st.integers(1, 65535))
def test_an_empty_list_has_nothing(address: object, port: int) -> None:
    assert not PoolAddresses([]).has_address(str(address), port)


@given(st.ip_addresses(v=4), st.integers(8, 32))
def test_a_network_has_just_its_own(address: object, prefix: int) -> None:
    from ipaddress import ip_network

    network = ip_network("10.32.0.0/11") if prefix < 11 else ip_network(f"10.32.0.0/{prefix}")
    assert PoolAddresses([str(network)]).has_address(str(address), 1) is (address in network)
