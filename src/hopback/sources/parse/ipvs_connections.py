"""IPVS' connections: ``ipvsadm -Lnc`` and /proc/net/ip_vs_conn."""

import re

from hopback.snapshot.rows import IpvsConnection
from hopback.sources.parse.base import Text
from hopback.sources.parse.fields import int_or_none
from hopback.sources.parse.ipvs_names import Endpoint, endpoint, hex_address, hex_port

CONNECTION = (
    r"\s*(?:TCP|UDP|SCTP|IP|ICMP) +(?:\d{1,9}:[0-5]\d +[A-Z_]+ +\S+:\S+ "
    r"|[0-9A-Fa-f:]{8,39} [0-9A-F]{4} [0-9A-Fa-f:]{8,39} [0-9A-F]{4} )"
)
_EXPIRES = re.compile(r"(\d{1,9}):(\d\d)")
_WIDTH = 9  # of the kernel's own file, without what newer kernels add
_SECOND = 10**9


def connection(text: Text, index: int, line: str) -> IpvsConnection | None:
    """The entry of a line that matched ``CONNECTION``; None for half of one."""
    words = line.split()
    seconds: int | None
    if expires := _EXPIRES.fullmatch(words[1]):
        ends = tuple(map(endpoint, words[3:6]))
        state, seconds = words[2], int(expires[1]) * 60 + int(expires[2])
    elif len(words) >= _WIDTH:
        ends = tuple(_hexadecimal(*words[at : at + 2]) for at in (1, 3, 5))
        state, seconds = words[7], int_or_none(words[8])
    else:
        return None
    if len(ends) != 3 or None in ends:
        return None
    client, virtual, server = (end for end in ends if end)
    return IpvsConnection(
        cite=text.cite(index),
        netns=text.netns,
        protocol=words[0].lower(),
        client=client.address,
        client_port=client.port,
        virtual=virtual.address,
        virtual_port=virtual.port,
        server=server.address,
        server_port=server.port,
        state=state,
        expires=None if seconds is None else seconds * _SECOND,
    )


def _hexadecimal(address: str, port: str) -> Endpoint | None:
    try:
        return Endpoint(hex_address(address), 6 if ":" in address else 4, hex_port(port))
    except ValueError:
        return None
