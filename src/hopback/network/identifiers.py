"""What an address tells: its family, and of IPv6 the identifier in it and how that was made."""

import re
from ipaddress import IPv6Address, ip_address
from typing import Literal, NamedTuple

from hopback.frames.mac import Mac

_GROUPS = re.compile(r"[0-9a-f]{1,4}(?::[0-9a-f]{1,4}){3}\Z")
_LOW = 0xFFFF_FFFF_FFFF_FFFF


class Halves(NamedTuple):
    """The network's half of an address, as text, and the interface's as a number."""

    prefix: str
    identifier: int


def halves(address: str | None) -> Halves | None:
    """Both halves of an IPv6 address, also where its prefix was blanked; None for anything else."""
    text = (address or "").lower()
    try:
        whole = int(IPv6Address(text))
    except ValueError:
        match = _GROUPS.search(text)
        if match is None or "::" in text:
            return None
        identifier = 0
        for group in match[0].split(":"):
            identifier = identifier << 16 | int(group, 16)
        return Halves(text[: match.start()], identifier)
    return Halves(f"{whole >> 64:x}", whole & _LOW)


def mac_in(address: str | None) -> Mac | None:
    """The MAC that a modified EUI-64 address was made from (RFC 4291 appendix A), if it was."""
    found = halves(address)
    if found is None or found.identifier >> 24 & 0xFFFF != 0xFFFE:
        return None
    low = found.identifier
    return Mac((low >> 16 & 0xFFFF_FF00_0000 | low & 0xFF_FFFF) ^ 1 << 41)


def is_random(address: str | None) -> bool:
    """Whether the identifier looks drawn by lot (RFC 8981, RFC 7217), not written by a person.

    Of four random groups two are below 0x100 once in ten thousand times; what people choose has
    zeros, or decimal numbers.
    """
    found = halves(address)
    if found is None or mac_in(address) is not None:
        return False
    groups = [found.identifier >> shift & 0xFFFF for shift in (48, 32, 16, 0)]
    return sum(group >= 0x100 for group in groups) >= 3 and 0 not in groups


def family(address: str) -> Literal[4, 6] | None:
    """Whether it is an IPv4 or an IPv6 address; None if it is neither."""
    try:
        return 4 if ip_address(address).version == 4 else 6
    except ValueError:
        return None


def canonical(address: str) -> str:
    """The address as Python writes it, so that two spellings of one are equal."""
    try:
        return str(ip_address(address.partition("%")[0]))
    except ValueError:
        return address.lower()
