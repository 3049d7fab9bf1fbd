"""Whom a ping asked."""

from ipaddress import IPv4Address, IPv6Address, ip_address

from hopback.snapshot.rows import PingSign


def is_many(row: PingSign) -> bool:
    """Whether the target is a group, or ends like the broadcast address of a /24 or larger."""
    target = _address(row.target)
    if target is None:
        return False
    return target.is_multicast or (target.version == 4 and int(target) & 0xFF == 0xFF)


def is_one(row: PingSign) -> bool:
    """Whether the target is certainly one address, and nobody else is said to have answered."""
    target, peer = _address(row.target), _address(row.peer)
    return target is not None and not is_many(row) and peer in (None, target)


def _address(text: str | None) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address((text or "").partition("%")[0])
    except ValueError:
        return None
