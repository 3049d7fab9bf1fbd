"""IPVS as ipvsadm and the kernel's files show it: services, servers, connections, counters.

ipvsadm.c (1.24 to 1.31) ``print_service_entry``, ``print_conn``, ``list_daemon``; kernel
net/netfilter/ipvs/ip_vs_ctl.c ``ip_vs_info_seq_show``, ip_vs_conn.c ``ip_vs_conn_seq_show``. Every
line tells by its form which of the listings it is part of.
"""

import re
from collections.abc import Iterator

from hopback.snapshot.rows import (
    IpvsConnection,
    IpvsCount,
    IpvsDaemon,
    IpvsServer,
    IpvsService,
    KernelCounter,
    Row,
)
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.ipvs_connections import CONNECTION, connection
from hopback.sources.parse.ipvs_save import save_row
from hopback.sources.parse.ipvs_table import HEADINGS, SERVER, SERVICE, Table
from hopback.sources.parse.listing import REFUSAL, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("ipvsadm",),
    ("ipvsadm-save",),
    ("cat", "/proc/net/ip_vs"),
)
_SAVED = r"-[Aa] (?:-[tuf]|--sctp-service) \S+ (?:-6 )?-[sr] \S"
_DAEMON = re.compile(
    r"\s*(?P<state>master|backup) sync daemon \(mcast=(?P<dev>\S+?), syncid=(?P<id>\d{1,9})\b"
)
SHAPE: re.Pattern[str] | None = re.compile(
    r"IP Virtual Server version |IPVS connection entries|Pro FromIP +FPrt "
    rf"|{SERVICE}|{CONNECTION}|{_SAVED}|(?:master|backup) sync daemon \(mcast="
)
FILLS: tuple[type[Row], ...] = (
    IpvsService,
    IpvsServer,
    IpvsConnection,
    IpvsCount,
    IpvsDaemon,
    KernelCounter,
)

_SAVE = re.compile(
    r"\s*(?:\S*ipvsadm )?(?:-[AaEe]|--(?:add|edit)-serv(?:ice|er)) "
    r"(?:-[tuf]|--(?:tcp|udp|sctp|fwmark)-service)[ =]"
)
_CONNECTION = re.compile(CONNECTION)
_CONNECTIONS = re.compile(r"IPVS connection entries|pro expire state|Pro FromIP +FPrt ")
_ABOUT = re.compile(
    r"IP Virtual Server version |\s*#|Timeout \(tcp tcpfin udp\): |\s*Total Incoming Outgoing "
)
# /proc/net/ip_vs_stats: all services together, once as counters and once as rates
_TOTALS = re.compile(r"\s*Conns(?P<rates>/s)? +(?:Packets|Pkts/s) ")
_FIVE = re.compile(r"\s*[0-9A-Fa-f]{1,15}(?: +[0-9A-Fa-f]{1,15}){4}\s*\Z")
_TOTAL_NAMES = ("IpvsConns", "IpvsInPkts", "IpvsOutPkts")
_SERVICE, _SERVER = re.compile(SERVICE), re.compile(SERVER)


def parse(text: Text) -> Parsed:
    """One row for each service, server, connection, counted thing or thread that is listed."""
    reader = _Reader(text)
    reader.read()
    return Parsed(reader.rows, reader.problems, tuple(reader.fills))


class _Reader:
    def __init__(self, text: Text) -> None:
        self._text = text
        self._table = Table(text)
        self._totals: re.Match[str] | None = None
        self.rows: list[Row] = []
        self.problems: list[Problem] = []
        self.fills: dict[type[Row], None] = {}

    def read(self) -> None:
        for index, line in self._text.numbered():
            rows = self._line(index, line)
            if rows is None:
                self.problems.append(unreadable(self._text, index, "half an entry of IPVS"))
            else:
                self.rows += rows
                self.fills.update(dict.fromkeys(map(type, rows)))

    def _line(self, index: int, line: str) -> tuple[Row, ...] | None:
        """The rows of a line; None if it is one of IPVS and cannot be used."""
        text = self._text
        row: Row | None
        if heading := HEADINGS.match(line):
            self.fills.update(dict.fromkeys(self._table.heading(heading)))
            return ()
        if _CONNECTIONS.match(line):
            self.fills[IpvsConnection] = None
            return ()
        if match := _TOTALS.match(line):
            self._totals = match
            return ()
        if self._totals and _FIVE.match(line):
            return () if self._totals["rates"] else _totals(text, index, line)
        if _SERVICE.match(line) or _SERVER.match(line):
            return self._table.rows(index, line)
        if _CONNECTION.match(line):
            row = connection(text, index, line)
        elif _SAVE.match(line):
            self.fills.update({IpvsService: None, IpvsServer: None})
            row = save_row(line.split(), text.cite(index), text.netns)
        elif match := _DAEMON.match(line):
            row = _daemon(text, index, match)
        else:
            self.problems += _other(text, index, line)
            return ()
        return None if row is None else (row,)


def _totals(text: Text, index: int, line: str) -> tuple[Row, ...]:
    cite = text.cite(index)
    return tuple(
        KernelCounter(cite=cite, netns=text.netns, name=name, value=int(word, 16))
        for name, word in zip(_TOTAL_NAMES, line.split(), strict=False)
    )


def _daemon(text: Text, index: int, match: re.Match[str]) -> IpvsDaemon:
    return IpvsDaemon(
        cite=text.cite(index),
        netns=text.netns,
        state="master" if match["state"] == "master" else "backup",
        dev=match["dev"],
        sync_id=int(match["id"]),
    )


def _other(text: Text, index: int, line: str) -> Iterator[Problem]:
    if REFUSAL.match(line):
        yield text.problem(index, f"IPVS was not shown: {line.strip()}")
    elif not _ABOUT.match(line):
        yield from stray(text, index, "ipvsadm")
