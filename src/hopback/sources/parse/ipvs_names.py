"""Addresses and ports as ipvsadm and the kernel's IPVS files print them."""

import re
from ipaddress import IPv4Address, ip_address
from typing import Literal, NamedTuple

from hopback.sources.parse.xt.values import port

PROTOCOLS: dict[str, Literal["tcp", "udp", "sctp"]] = {"TCP": "tcp", "UDP": "udp", "SCTP": "sctp"}
"""The protocols of services, as listings print them."""

_ENDPOINT = re.compile(
    r"\[(?P<six>[^\[\]\s]{1,80})\](?::(?P<port6>\S+))?|(?P<host>[^\s:]{1,255})(?::(?P<port>\S+))?"
)
_HEX_ADDRESS = re.compile(r"[0-9A-Fa-f]{8}")
_HEX_PORT = re.compile(r"[0-9A-Fa-f]{4}")


class Endpoint(NamedTuple):
    """An address (or a name, where names were printed), its family, and a port."""

    address: str
    family: Literal[4, 6]
    port: int


def endpoint(text: str, from_proc: bool = False) -> Endpoint | None:
    """``10.0.0.1:80``, ``[fd00::1]:http``, ``web.example.com:80``; None for what is none of these.

    Without a port it is 0. /proc/net/ip_vs (``from_proc``) writes IPv4 addresses and all ports in
    hexadecimal.
    """
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        return None
    number, six = match["port6"] or match["port"] or "", match["six"]
    read = hex_address if from_proc else _plain
    try:
        value = hex_port(number) if from_proc else port(number) if number else 0
        return Endpoint(read(six or match["host"]), 6 if six else 4, value)
    except ValueError:
        return None


def _plain(text: str) -> str:
    """An address in its usual form; a name as it is."""
    try:
        return str(ip_address(text))
    except ValueError:
        return text


def hex_address(text: str) -> str:
    """``0A000064`` as 10.0.0.100, an IPv6 address in its usual form; ValueError for neither."""
    if _HEX_ADDRESS.fullmatch(text):
        return str(IPv4Address(int(text, 16)))
    return str(ip_address(text))


def hex_port(text: str) -> int:
    """``01BB`` as 443; ValueError if it is no such number."""
    if not _HEX_PORT.fullmatch(text):
        raise ValueError(f"not four hexadecimal digits: {text!r}")
    return int(text, 16)
