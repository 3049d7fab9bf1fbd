"""keepalived's configuration: VRRP instances, and the virtual servers that it enters into IPVS.

keepalived.conf(5); keepalived/vrrp/vrrp_parser.c, keepalived/check/check_parser.c (1.2 to 2.3).
What keepalived was told is not what the kernel has: its rows are ``configured``.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from ipaddress import ip_address, ip_interface
from itertools import pairwise
from typing import Any

from hopback.snapshot.rows import IpvsMethod, IpvsServer, IpvsService, Row, VrrpInstance, VrrpState
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import int_or_none
from hopback.sources.parse.keepalived_blocks import Statement, read_blocks
from hopback.sources.parse.listing import REFUSAL, unreadable
from hopback.sources.parse.xt.values import port

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("cat", "/etc/keepalived/"),
    ("cat", "keepalived.conf"),
    ("keepalived.conf",),
)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*(?:virtual_server (?:fwmark \d|group \w|[0-9a-fA-F.:]+(?: \d+)? *(?:\{|\Z))"
    r"|vrrp_(?:instance|sync_group) \S+ *(?:\{|\Z)|! ?Configuration File for keepalived)"
)
FILLS: tuple[type[Row], ...] = (VrrpInstance,)

_STATES: dict[str, VrrpState] = {"MASTER": "master", "BACKUP": "backup"}
_METHODS: dict[str, IpvsMethod] = {"NAT": "masq", "DR": "route", "TUN": "tunnel"}
_FLAGS = ("ops", "sh-port", "sh-fallback", "mh-port", "mh-fallback", "flag-1", "flag-2", "flag-3")
_ADDRESSES = ("virtual_ipaddress", "virtual_ipaddress_excluded")
# Behind an address of an instance, words that are followed by something else than an address of it.
_ABOUT_ADDRESS = frozenset({"dev", "brd", "broadcast", "scope", "label", "src", "peer", "home"})
_NOTIFY = re.compile(r"notify(?:_(?:master|backup|fault|stop|master_rx_lower_pri|deleted))?")
_PERSISTENT = 360  # IPVS_SVC_PERSISTENT_TIMEOUT
_MOST = 256  # members of a range


def parse(text: Text) -> Parsed:
    """Instances, services and their servers, each citing the line that it begins with."""
    blocks = read_blocks(text)
    reader = _Reader(text)
    rows = list(reader.rows(blocks.statements))
    problems = [text.problem(index, f"keepalived: {why}") for index, why in blocks.left_out]
    if not rows:
        problems += [
            text.problem(index, f"keepalived's configuration was not shown: {line.strip()}")
            for index, line in text.numbered()
            if REFUSAL.match(line)
        ]
    return Parsed(rows, [*problems, *reader.problems])


class _Reader:
    def __init__(self, text: Text) -> None:
        self._text = text
        self._netns = text.netns
        self.problems: list[Problem] = []

    def rows(self, top: Sequence[Statement]) -> Iterator[Row]:
        """The rows of all blocks."""
        groups = {
            name: words[0]
            for words, group in _blocks(top, "vrrp_sync_group")
            for _, members in _blocks(group.body, "group")
            for name in _words(members.body)
        }
        servers = {words[0]: one for words, one in _blocks(top, "virtual_server_group") if words}
        own = [word for _, one in _blocks(top, "global_defs") for word in _words(one.body)]
        of_all = dict(pairwise(own))
        self._netns = of_all.get("net_namespace", self._netns)
        for words, one in _blocks(top, "vrrp_instance"):
            if one.braced:
                name = " ".join(words)
                yield from self._instance(one, name, groups.get(name, ""), of_all)
        for words, one in _blocks(top, "virtual_server"):
            yield from self._virtual(one, words, servers)

    def _unreadable(self, one: Statement, message: str) -> None:
        self.problems.append(unreadable(self._text, one.line, f"keepalived: {message}"))

    def _common(self, one: Statement) -> dict[str, Any]:
        return {"cite": self._text.cite(one.line), "netns": self._netns}

    def _instance(
        self, one: Statement, name: str, group: str, of_all: dict[str, str]
    ) -> Iterator[VrrpInstance]:
        router_id = int_or_none(_value(one.body, "virtual_router_id"))
        if router_id is None:
            self._unreadable(one, "an instance without a virtual_router_id")
            return
        words = _words(one.body)
        yield VrrpInstance(
            **self._common(one),
            name=name,
            dev=_value(one.body, "interface") or of_all.get("default_interface", ""),
            router_id=router_id,
            priority=int_or_none(_value(one.body, "priority") or "100") or 100,
            state=_STATES.get(_value(one.body, "state") or "", "backup"),
            addresses=tuple(dict.fromkeys(_addresses(one))),
            nopreempt="nopreempt" in words,
            group=group,
            notify=tuple(dict.fromkeys(b for a, b in pairwise(words) if _NOTIFY.fullmatch(a))),
        )

    def _virtual(
        self, one: Statement, words: Sequence[str], groups: dict[str, Statement]
    ) -> Iterator[Row]:
        """A virtual server, or one for each member of its group, with the servers of each."""
        found = False
        for of_service in self._services(one, words, groups):
            found = True
            yield IpvsService(
                **self._common(one), **of_service, **_settings(one.body), configured=True
            )
            yield from self._servers(one, of_service)
        if not found:
            self._unreadable(one, "not a virtual server")

    def _services(
        self, one: Statement, words: Sequence[str], groups: dict[str, Statement]
    ) -> Iterator[dict[str, Any]]:
        protocol = (_value(one.body, "protocol") or "tcp").lower()
        protocol = protocol if protocol in ("tcp", "udp", "sctp") else "tcp"
        if words[:1] != ["group"]:
            yield from _named(words, protocol, _value(one.body, "ip_family"))
        elif words[1:] and words[1] in groups:
            for member in groups[words[1]].body:
                yield from _named(member.words, protocol, _value(one.body, "ip_family"))

    def _servers(self, one: Statement, of_service: dict[str, Any]) -> Iterator[IpvsServer]:
        for keyword in ("real_server", "sorry_server"):
            for words, server in _blocks(one.body, keyword):
                try:
                    address = str(ip_address(words[0] if words else ""))
                    number = port(words[1]) if words[1:] else of_service.get("port", 0)
                except ValueError:
                    self._unreadable(server, f"not a {keyword}")
                    continue
                yield IpvsServer(
                    **self._common(server),
                    **of_service,
                    server=address,
                    server_port=number,
                    weight=int_or_none(_value(server.body, "weight") or "1"),
                    sorry=keyword == "sorry_server",
                    configured=True,
                    **_method(server.body, one.body, keyword),
                )


def _blocks(body: Sequence[Statement], keyword: str) -> Iterator[tuple[list[str], Statement]]:
    """What stands behind each ``keyword``, and the statement whose body is its block."""
    for one in body:
        places = [at for at, word in enumerate(one.words) if word == keyword]
        for at, end in pairwise([*places, len(one.words)]):
            last = end == len(one.words)
            yield list(one.words[at + 1 : end]), one if last else one._replace(body=[])


def _words(body: Sequence[Statement]) -> list[str]:
    return [word for one in body for word in one.words]


def _value(body: Sequence[Statement], keyword: str) -> str | None:
    """The word behind the last ``keyword`` in these statements: later ones win in keepalived."""
    return {a: b for one in body for a, b in pairwise(one.words)}.get(keyword)


def _addresses(instance: Statement) -> Iterator[str]:
    for keyword in _ADDRESSES:
        for _, block in _blocks(instance.body, keyword):
            for line in block.body:
                for before, word in pairwise(["", *line.words]):
                    with suppress(ValueError):
                        if before not in _ABOUT_ADDRESS:
                            yield str(ip_interface(word).ip)


def _named(words: Sequence[str], protocol: str, family: str | None) -> Iterator[dict[str, Any]]:
    """``fwmark 3``, ``192.0.2.1 80``, ``192.0.2.1-9 80``: the fields that name the services."""
    if words[:1] == ["fwmark"]:
        mark = int_or_none("".join(words[1:2]))
        if mark is not None:
            six = 6 if family == "inet6" else 4
            yield {"protocol": "fwmark", "family": six, "mark": mark}
        return
    first, _, last = "".join(words[:1]).partition("-")
    with suppress(ValueError):
        start, number = ip_address(first), port(words[1]) if words[1:] else 0
        bits, base = (8, 10) if start.version == 4 else (16, 16)
        low = int(start) & ((1 << bits) - 1)
        for step in range(min(int(last, base) - low + 1 if last else 1, _MOST)):
            address, six = str(start + step), start.version
            yield {"protocol": protocol, "family": six, "address": address, "port": number}


def _settings(body: Sequence[Statement]) -> dict[str, Any]:
    words = _words(body)
    persistent = _value(body, "persistence_timeout")
    kept = int_or_none(persistent) if persistent else None
    return {
        "scheduler": _value(body, "lb_algo") or _value(body, "lvs_sched") or "wlc",
        "persistent": (kept or _PERSISTENT) if "persistence_timeout" in words else 0,
        "netmask": _value(body, "persistence_granularity"),
        "flags": tuple(flag for flag in _FLAGS if flag in words),
    }


def _method(
    server: Sequence[Statement], service: Sequence[Statement], keyword: str
) -> dict[str, Any]:
    """How to forward to a server: its own method, else the service's, else NAT."""
    of_sorry = _value(service, "sorry_server_lvs_method") if keyword == "sorry_server" else None
    own = _value(server, "lvs_method") or of_sorry
    method = _METHODS.get(
        own or _value(service, "lvs_method") or _value(service, "lb_kind") or "NAT", "masq"
    )
    if method != "tunnel":
        return {"method": method}
    body = server if own else service
    kind = _value(body, "type") or "ipip"
    return {"method": method, "tunnel": kind, "tunnel_port": int_or_none(_value(body, "port"))}
