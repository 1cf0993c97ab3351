"""The security administrator's list of addresses that are on the pool. Opens no connection.

An entry is an address, a network (CIDR) or a host name, each with an optional port:
`127.0.0.1`, `10.20.0.0/16`, `10.20.3.4:8901`, `[fd00::1]:8901`, `gpu-a.internal:8901`.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from zhengwu.errors import SettingsError

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
NAME = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")


@lru_cache(4096)
def parse_address(text: str) -> Address | None:
    """Return the address that `text` writes out; None if it is anything else."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return address.ipv4_mapped
    return address


@dataclass(frozen=True)
class _Entry:
    network: Network | None
    name: str | None
    port: int | None


class PoolAddresses:
    """Answers whether a host and port are on the pool."""

    def __init__(self, entries: Iterable[str]) -> None:
        """Parse the list.

        Raises:
            SettingsError: an entry cannot be read, or takes in the whole internet.
        """
        self._entries = tuple(_parse(entry.strip()) for entry in entries)

    def has_address(self, address: str, port: int) -> bool:
        """Whether an IP address, written out, is on the list. Anything else is not."""
        parsed = parse_address(address)
        return parsed is not None and any(
            entry.network is not None
            and parsed.version == entry.network.version
            and parsed in entry.network
            and entry.port in (None, port)
            for entry in self._entries
        )

    def has_name(self, host: str, port: int) -> bool:
        """Whether a host name is itself on the list, whatever it resolves to."""
        host = host.lower().rstrip(".")
        return any(entry.name == host and entry.port in (None, port) for entry in self._entries)


def _parse(entry: str) -> _Entry:
    host, port = _split(entry)
    try:
        network = ip_network(host)
    except ValueError:
        name = host.lower().rstrip(".")
        # Digits and dots alone would be an address that is not written as one.
        if not NAME.fullmatch(name) or name.replace(".", "").isdigit():
            raise _wrong(entry) from None
        return _Entry(None, name, port)
    if network.prefixlen == 0:
        raise SettingsError(f"算力池地址“{entry}”等于放行全部地址，请写明内网网段")
    return _Entry(network, None, port)


def _split(entry: str) -> tuple[str, int | None]:
    bracketed = re.fullmatch(r"\[([0-9a-fA-F:.]+)\](?::(\d+))?", entry)
    plain = re.fullmatch(r"([^:\[\]]+)(?::(\d+))?", entry)
    match = bracketed or plain
    if match is None:
        return entry, None  # an IPv6 address or network without a port, or an error
    port = int(match[2]) if match[2] else None
    if port is not None and not 1 <= port <= 65535:
        raise _wrong(entry)
    return match[1], port


def _wrong(entry: str) -> SettingsError:
    return SettingsError(
        f"算力池地址“{entry}”无法识别，应为 IP、网段（如 10.20.0.0/16）或主机名，可加 :端口"
    )
