"""MAC addresses as integers.

A MAC is a 48-bit ``int`` (the first byte on the wire is the most significant), so that a million
table rows stay small and comparisons are those of numbers.
"""

import re
from typing import NewType

Mac = NewType("Mac", int)

BROADCAST = Mac(0xFFFF_FFFF_FFFF)
ZERO = Mac(0)

_GROUP_BIT = 1 << 40
_FORM = re.compile(r"[0-9a-fA-F]{1,2}(?:[:-][0-9a-fA-F]{1,2}){5}")


def parse_mac(text: str) -> Mac:
    """The MAC written as ``fa:16:3e:56:ea:fa`` (either case, ``-`` too, leading zeros optional).

    Raises ValueError for anything else: a redacted or shortened address is not an address.
    """
    if not _FORM.fullmatch(text):
        raise ValueError(f"not a MAC address: {text!r}")
    value = 0
    for byte in text.replace("-", ":").split(":"):
        value = value << 8 | int(byte, 16)
    return Mac(value)


def format_mac(mac: Mac) -> str:
    """``fa:16:3e:56:ea:fa``, as the kernel prints it (``%pM``)."""
    digits = f"{mac:012x}"
    return ":".join(digits[i : i + 2] for i in range(0, 12, 2))


def mac_from_bytes(raw: bytes) -> Mac:
    """The MAC in six bytes of wire order."""
    return Mac(int.from_bytes(raw, "big"))


def mac_to_bytes(mac: Mac) -> bytes:
    """Six bytes in wire order."""
    return mac.to_bytes(6, "big")


def is_group(mac: Mac) -> bool:
    """Whether the address is a multicast or the broadcast address (``is_multicast_ether_addr``)."""
    return bool(mac & _GROUP_BIT)


def is_link_local(mac: Mac) -> bool:
    """Whether it is one of 01:80:C2:00:00:00 … 0F (``is_link_local_ether_addr``, IEEE 802.1D)."""
    return mac >> 4 == 0x0180_C200_000


def tap_twin(guest: Mac) -> Mac:
    """The address libvirt gives the host's end of a guest's tap: first byte FE, or FA if it is FE.

    libvirt ``src/util/virnetdevtap.c:virNetDevTapCreateInBridgePort``.
    """
    first = 0xFA if guest >> 40 == 0xFE else 0xFE
    return Mac(guest & 0xFF_FFFF_FFFF | first << 40)
