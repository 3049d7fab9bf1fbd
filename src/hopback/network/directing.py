"""Rows of IPVS of one host: which service each is about, and what several listings say together."""

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from msgspec.structs import replace

from hopback.network.identifiers import canonical
from hopback.snapshot.rows import IpvsCount, IpvsServer, IpvsService

Key = tuple[str, int, str, int, int]
"""Protocol, family, address, port and mark: what a packet is compared with."""

_R = TypeVar("_R", IpvsService, IpvsServer)
_K = TypeVar("_K", bound=Hashable)

_SAID_BY_NONE = frozenset({"netmask"})
"""What every listing says of a service that is persistent; None is a mask of all bits."""


def key_of(row: IpvsService | IpvsServer | IpvsCount) -> Key:
    """What identifies the service that a row is about, within its namespace."""
    return row.protocol, row.family, canonical(row.address), row.port, row.mark


def server_key_of(row: IpvsServer) -> tuple[Key, str, int]:
    """What identifies a server, within the namespace."""
    return key_of(row), canonical(row.server), row.server_port


def together(rows: Iterable[_R], key: Callable[[_R], _K]) -> dict[_K, _R]:
    """Each thing once, as its last row tells it; what that leaves open is as the rows before told.

    A later listing is newer, and may say less: /proc/net/ip_vs no time of persistence,
    ``ipvsadm -S`` no connections.
    """
    found: dict[_K, _R] = {}
    for row in rows:
        at = key(row)
        found[at] = _completed(row, found[at]) if at in found else row
    return found


def _completed(row: _R, before: _R) -> _R:
    missing = {
        name: value
        for name in row.__struct_fields__
        if name not in _SAID_BY_NONE
        and getattr(row, name) is None
        and (value := getattr(before, name)) is not None
    }
    return replace(row, **missing) if missing else row
