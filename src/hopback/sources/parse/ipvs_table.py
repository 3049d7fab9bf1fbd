"""The table of ``ipvsadm -L`` in all its forms, and /proc/net/ip_vs."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Address
from itertools import pairwise
from typing import Any, cast

from hopback.snapshot.rows import IpvsCount, IpvsMethod, IpvsServer, IpvsService, Row
from hopback.sources.parse.base import Text
from hopback.sources.parse.fields import int_or_none
from hopback.sources.parse.ipvs_names import PROTOCOLS, endpoint

_SCHEDULERS = "rr|wrr|lc|wlc|lblcr?|dh|sh|sed|nq|fo|ovf|mh|twos"
_METHODS = frozenset({"route", "tunnel", "masq", "local", "bypass"})
SERVICE = (
    r"\s*(?:TCP|UDP|SCTP|FWM) +\S+ +(?:IPv6 +)?"
    rf"(?:(?:{_SCHEDULERS})(?: |\Z)|\d+[KMGT]?(?: +\d+[KMGT]?){{4}} *\Z)"
)
SERVER = r"\s*-> +(?!RemoteAddress)\S+ +(?:(?i:route|tunnel|masq|local|bypass) |\d+[KMGT]? +\d)"
HEADINGS = re.compile(
    r"\s*(?:Prot +LocalAddress:Port +(?P<service>[A-Z]\w+)|-> RemoteAddress:Port(?P<gap> *)\w*)"
)
_FROM_PROC = re.compile(
    r"\s*-> RemoteAddress:Port Forward|\s*(?:->|TCP|UDP|SCTP) +[0-9A-F]{8}:[0-9A-F]{4} "
)
_ALL_BITS = 0xFFFF_FFFF
_COUNT_MAX = 2**63 - 1
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}

_Rows = tuple[Row, ...]


class Table:
    """Reads line after line: servers belong to the service above them.

    The kernel's own file writes numbers in hexadecimal, and has no columns in its heading.
    """

    def __init__(self, text: Text) -> None:
        self._text = text
        self._proc = any(map(_FROM_PROC.match, text.lines))
        self._rates = "--rate" in text.command
        self._service: dict[str, Any] = {}

    def heading(self, found: re.Match[str]) -> Sequence[type[Row]]:
        """The tables under a heading. Rates are no counters: they fill none."""
        self._service = {}
        if found["gap"]:
            self._proc = found["gap"] == " "
        match found["service"]:
            case "Scheduler":
                return IpvsService, IpvsServer
            case "Conns":
                self._rates = False
                return (IpvsCount,)
            case "CPS":
                self._rates = True
            case "Uthreshold" | "Weight":  # they do not tell by which method
                return (IpvsService,)
        return ()

    def rows(self, index: int, line: str) -> _Rows | None:
        """The rows of a service's or a server's line; None if it cannot be used."""
        words = line.split()
        if words[0] == "->":
            return self._of_server(index, words[1:])
        self._service = self._named(words)
        if not self._service:
            return None
        rest = words[3:] if words[2] == "IPv6" else words[2:]
        if rest[0][0].isdigit():
            return self._counted(index, rest, {})
        return (self._service_row(index, rest),)

    def _named(self, words: Sequence[str]) -> dict[str, Any]:
        """What tells the service; nothing if it is not readable."""
        if words[0] == "FWM":
            mark = int_or_none(f"0x{words[1]}" if self._proc else words[1])
            family = 6 if words[2] == "IPv6" else 4
            return {} if mark is None else {"protocol": "fwmark", "family": family, "mark": mark}
        found = endpoint(words[1], self._proc)
        if found is None:
            return {}
        address, family, port = found
        return {
            "protocol": PROTOCOLS[words[0]],
            "family": family,
            "address": address,
            "port": port,
        }

    def _common(self, index: int) -> dict[str, Any]:
        return {"cite": self._text.cite(index), "netns": self._text.netns, **self._service}

    def _service_row(self, index: int, rest: Sequence[str]) -> IpvsService:
        after = dict(pairwise(rest))
        persistent = int_or_none(after.get("persistent", "0"))
        netmask, flags = after.get("mask"), _flags(rest)
        if self._proc and "persistent" in after:
            # the time is in ticks of a length that is not told
            persistent, flags = None, ("persistent", *flags)
            netmask = _hex_netmask(rest[-1], self._service["family"])
        return IpvsService(
            **self._common(index),
            scheduler=rest[0],
            persistent=persistent,
            netmask=netmask,
            flags=flags,
        )

    def _of_server(self, index: int, words: Sequence[str]) -> _Rows | None:
        found = endpoint(words[0], self._proc)
        if found is None or not self._service:
            return None
        server = {"server": found.address, "server_port": found.port}
        method = words[1].lower()
        if method in _METHODS:
            return self._server_row(index, words[1:], server)
        return self._counted(index, words[1:], server) if len(words) == 6 else ()

    def _server_row(
        self, index: int, words: Sequence[str], server: dict[str, Any]
    ) -> tuple[IpvsServer] | None:
        """``Route 1 0 1``, or with ``--tun-info``: ``Tunnel gue:6080:-c 1 0 1``."""
        tunnel, port = None, None
        if len(words) > 1 and not words[1].lstrip("-").isdigit():
            (kind, _, rest), words = words[1].partition(":"), (words[0], *words[2:])
            tunnel = None if kind == "n/a" else kind
            port = int_or_none(rest.partition(":")[0])
        numbers = [int_or_none(word) for word in (*words[1:4], "", "", "")]
        if numbers[0] is None:
            return None
        return (
            IpvsServer(
                **self._common(index),
                **server,
                method=cast(IpvsMethod, words[0].lower()),
                weight=numbers[0],
                tunnel=tunnel,
                tunnel_port=port,
                active=numbers[1],
                inactive=numbers[2],
            ),
        )

    def _counted(self, index: int, words: Sequence[str], server: dict[str, Any]) -> _Rows | None:
        """Connections, packets in and out (the bytes are let go); rates are no counters."""
        if self._rates:
            return ()
        connections, packets_in, packets_out = map(_largenum, words[:3])
        if connections is None or packets_in is None or packets_out is None:
            return None
        return (
            IpvsCount(
                **self._common(index),
                **server,
                connections=connections,
                packets_in=packets_in,
                packets_out=packets_out,
            ),
        )


def _flags(rest: Sequence[str]) -> tuple[str, ...]:
    """``ops``, and what stands in parentheses behind the scheduler."""
    of_scheduler = rest[1][1:-1].split(",") if len(rest) > 1 and rest[1][0] == "(" else ()
    return (*(["ops"] if "ops" in rest else ()), *of_scheduler)


def _hex_netmask(text: str, family: int) -> str | None:
    """The mask of clients' addresses; None for the usual one, of all bits."""
    value = int_or_none(f"0x{text}")
    if value is None or value > _ALL_BITS:
        return None
    if family == 4:
        return None if value == _ALL_BITS else str(IPv4Address(value))
    # the number of bits went through ntohl
    bits = min(value, int.from_bytes(value.to_bytes(4, "little")))
    return None if bits == 128 else str(bits)


def _largenum(text: str) -> int | None:
    """``123456M``: without ``--exact`` large numbers are cut off (print_largenum)."""
    unit = _UNITS.get(text[-1], 1)
    value = int_or_none(text if unit == 1 else text[:-1])
    return None if value is None or value * unit > _COUNT_MAX else value * unit
