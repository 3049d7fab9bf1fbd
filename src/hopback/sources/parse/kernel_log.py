"""Messages about the network: dmesg, journalctl, syslog, a guest's console, keepalived, or a quote.

The messages are looked for anywhere in a line, because everybody puts something else in front of
them (levels, dates, host and daemon, bullets). All lines of a log are not of one shape, so what is
no message known here is no problem.
"""

import re

from hopback.snapshot.rows import (
    BadChecksums,
    DadEvent,
    LogLine,
    Martian,
    NeighbourMessage,
    OwnSource,
    PortEvent,
    Row,
    TunnelLoop,
)
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.conflict_messages import Dialects
from hopback.sources.parse.fields import int_or_none, mac_or_none, unnamed
from hopback.sources.parse.log_time import log_time
from hopback.sources.parse.tunnel_messages import TunnelMessages
from hopback.sources.parse.vrrp_messages import VRRP, vrrp_event

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("dmesg",),
    ("journalctl",),
    ("guest", "console"),
    ("keepalived",),
    ("cat|tail|head|zcat", "/var/log/"),
)
# A bound, because it is searched for in lines of any length. Only a format string in source code
# has a "%" here; a level (<4>), a tag or prose in scripts without blanks may stand right before.
# (What is meant is listed, as a list of all that is not takes ten times as long to compile.)
_DEV = r"[!#$&+.0-9;=?@A-Z\\^_a-z~-]{1,64}"
_STATE = r"disabled|listening|learning|forwarding|blocking"

# net/bridge/br_fdb.c:br_fdb_update; 2.6 put the port in front and named no bridge, and from 4.14
# on the address and VLAN follow. RouterOS names the port alone and says "bridge port".
_OWN_SOURCE = re.compile(
    rf"(?:(?P<bridge>{_DEV}): +)?(?:bridge port )?received packet (?:on (?P<dev>{_DEV}) )?with +own"
    r" address as source address(?: \((?:addr: ?)?(?P<mac>[^\s,)]*)"
    r"(?:, ?vlan: ?(?P<vlan>\d{1,4}))?)?"
)
# net/bridge/br_stp.c:br_log_state; "entering" up to 2.6.
_PORT = re.compile(
    rf"(?P<bridge>{_DEV}): port (?P<number>\d{{1,5}})\((?P<dev>{_DEV})\) enter(?:ed|ing) "
    rf"(?P<state>{_STATE}) state"
)
# net/ipv4/route.c:ip_handle_martian_source; without the "IPv4: " in front up to 3.6.
_MARTIAN = re.compile(
    rf"\bmartian source (?P<target>\S+) from (?P<source>\S+), on dev (?P<dev>{_DEV})"
)
_CONFLICTS = Dialects(_DEV)
_TUNNELS = TunnelMessages(_DEV)
# ISC DHCP common/packet.c:decode_udp_ip_header: dhclient, dhcpd and dhcrelay read raw packets
_CHECKSUMS = re.compile(r"\b(?P<bad>\d{1,4}) bad udp checksums in (?P<seen>\d{1,4}) packets")
_OTHER = re.compile(
    r"\blink (?:is )?(?:not ready|becomes ready|up\b|down\b|status)|\bNIC Link is|\bcarrier\b"
    r"|\bbond\w*: |\bteam\d*: |\b(?:promiscuous|allmulticast) mode|\bmartian\b|\bll header:"
    r"|\btopology change\b|\bnet_ratelimit\b|\bcallbacks suppressed|table overflow|\btable full\b"
    r"|ipv6_create_tempaddr|\brenamed from\b"
    r"|same address as a received packet|unregister_netdevice|\bIPVS: |\bduplicate address\b",
    re.IGNORECASE,
)
# "[   12.345678] " of dmesg, "[Fri Nov 20 08:57:40 2026] " of dmesg -T.
_DMESG = (
    r"\s*(?:<\d{1,3}>)?\[(?: *\d{1,9}\.\d{6}|[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4})\] "
)
_STAMPED = re.compile(rf"{_DMESG}|.{{0,80}}\bkernel: ")

SHAPE: re.Pattern[str] | None = re.compile(
    rf".*?(?:{unnamed(_OWN_SOURCE)}|{unnamed(_PORT)}|{_CONFLICTS.shape}|{_TUNNELS.shape}|{unnamed(_CHECKSUMS)}|{VRRP})"
    rf"|{_DMESG}"
    r"|(?:[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\d\d-\d\dT\S+) \S+ kernel: "
)
FILLS: tuple[type[Row], ...] = (OwnSource, PortEvent, Martian, DadEvent, TunnelLoop, LogLine)


def parse(text: Text) -> Parsed:
    """Events with their times (ns; only differences within one log mean anything).

    An address that was blanked in part is kept as it is shown: it still tells two apart.
    ``LogLine`` rows are made of lines of a log, not of prose in a paste that uses the same words.
    """
    rows: list[Row] = []
    log = text.strict or bool(text.command)
    for index, line in text.numbered():
        row = _own_source(text, index, line) or _port(text, index, line)
        row = row or _martian(text, index, line)
        row = row or _conflict(text, index, line) or _checksums(text, index, line)
        row = row or _tunnel_loop(text, index, line)
        row = row or vrrp_event(text, index, line)
        if row is None and (log or _STAMPED.match(line)) and (match := _OTHER.search(line)):
            at = log_time(line[: match.start()])
            row = LogLine(cite=text.cite(index), netns=text.netns, text=line.strip(), at=at)
        if row is not None:
            rows.append(row)
    return Parsed(rows)


def _own_source(text: Text, index: int, line: str) -> Row | None:
    match = _OWN_SOURCE.search(line)
    if match is None:
        return None
    bridge, dev = match["bridge"], match["dev"]
    if dev is None:
        bridge, dev = None, bridge
    if dev is None:
        return None
    return OwnSource(
        cite=text.cite(index),
        netns=text.netns,
        dev=dev,
        bridge=bridge,
        mac=mac_or_none(match["mac"]),
        vlan=int_or_none(match["vlan"]),
        at=log_time(line[: match.start()]),
    )


def _port(text: Text, index: int, line: str) -> Row | None:
    match = _PORT.search(line)
    if match is None:
        return None
    return PortEvent(
        cite=text.cite(index),
        netns=text.netns,
        bridge=match["bridge"],
        dev=match["dev"],
        number=int(match["number"]),
        state=match["state"],  # type: ignore[arg-type]
        at=log_time(line[: match.start()]),
    )


def _martian(text: Text, index: int, line: str) -> Row | None:
    match = _MARTIAN.search(line)
    if match is None:
        return None
    return Martian(
        cite=text.cite(index),
        netns=text.netns,
        dev=match["dev"],
        source=match["source"],
        target=match["target"],
        at=log_time(line[: match.start()]),
    )


def _conflict(text: Text, index: int, line: str) -> Row | None:
    if found := _CONFLICTS.conflict(line):
        return DadEvent(
            cite=text.cite(index),
            netns=text.netns,
            dev=found.dev,
            address=found.address,
            used_by=found.used_by,
            disabled=found.disabled,
            at=log_time(line[: found.start]),
        )
    if claim := _CONFLICTS.claim(line):
        return NeighbourMessage(
            cite=text.cite(index),
            netns=text.netns,
            kind="na",
            address=claim.address,
            mac=claim.mac,
            dev=claim.dev,
            direction="in",
            at=log_time(line[: claim.start]),
        )
    return None


def _tunnel_loop(text: Text, index: int, line: str) -> Row | None:
    found = _TUNNELS.loop(line)
    if found is None:
        return None
    return TunnelLoop(
        cite=text.cite(index),
        netns=text.netns,
        dev=found.dev,
        kind=found.kind,
        remote=found.remote,
        at=log_time(line[: found.start]),
    )


def _checksums(text: Text, index: int, line: str) -> Row | None:
    match = _CHECKSUMS.search(line)
    if match is None:
        return None
    bad, seen = int(match["bad"]), int(match["seen"])
    return BadChecksums(cite=text.cite(index), netns=text.netns, bad=bad, seen=seen)
