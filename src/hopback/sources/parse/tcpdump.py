"""What tcpdump prints: one sighting per packet, and what ARP, ND and DHCP say.

Read are the Ethernet header of ``-e``, the device column of ``-i any``, IP addresses, TTL, VLAN
and length. The rest of a packet's text is kept as its key, without what changes on the way or with
the capture: time, TTL and what tcpdump thinks of checksums. The IP id, ICMP sequence, DHCP xid
and so on stay in it, and MACs only where they are the payload's (ARP).
"""

import re
from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import Literal, NamedTuple

from hopback.frames.mac import BROADCAST, Mac
from hopback.snapshot.rows import Row, Sighting
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.listing import stray
from hopback.sources.parse.log_time import log_time, nanoseconds

_BYTES = r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}"
_TIME = (
    r"\s*(?:(?P<date>\d{4}-\d\d-\d\d) )?"
    r"(?:(?P<clock>\d\d:\d\d:\d\d)|(?P<epoch>\d{9,10}))\.(?P<fraction>\d{6}(?:\d{3})?)\s+"
)
# The device column is there with -i any, since libpcap 1.10; the direction alone with -e before.
_COLUMNS = r"(?:(?:(?P<dev>[^\s:,>]+)\s+)?(?P<way>In|Out|B|M|P)\s+(?:ifindex \d+\s+)?)?"
_HEAD = re.compile(rf"{_TIME}{_COLUMNS}(?P<rest>\S.*)")
_ETHERNET = re.compile(
    rf"(?P<source>{_BYTES})(?: \(oui [^)]*\))?(?: > (?P<target>[^\s,]+)(?: \(oui [^)]*\))?,)? "
    r"(?P<rest>.*)"
)
_LAYER = re.compile(
    r"(?:ethertype [^(,]*,? ?\(0x[0-9a-f]{4}\)|vlan (?P<vlan>\d{1,4})|p \d|DEI"
    r"|(?:IPv4|IPv6|ARP|802\.1Q|802\.3)(?=, length)|length (?P<length>\d{1,6}))(?:, |: |\Z)"
)
_WHERE = re.compile(r"\blistening on (?P<dev>[^\s,]+)")
_ADDRESSES = re.compile(r"(?<!\S)(?P<source>\S+) > (?P<target>\S+?)(?::(?=\s|\Z)|\s|\Z)")
_ARP = re.compile(
    r"(?:who-has (?P<wanted>[^\s,]+)(?: \([^)]*\))?,? tell (?P<asker>[^\s,]+)"
    r"|Reply (?P<owner>[^\s,]+) is-at)"
)
_TTL = re.compile(r"\b(?:ttl|hlim) (\d{1,3})\b")
_LENGTH = re.compile(r"\blength:? (\d{1,6})")
_CHANGING = re.compile(
    r"\b(?:ttl|hlim) \d{1,3},? ?|\[(?:bad |no |wrong )?(?:\w+ )?(?:cksum|sum)\b[^\]]*\] ?"
    r"|, bad cksum [0-9a-f]{1,4} \([^)]*\)!(?=\))"
    r"|\b(?:(?:bad|wrong) )?(?:(?:icmp6?|udp|tcp) )?cksum 0x[0-9a-f]{1,4} \([^)]*\)[!,]? ?"
)
_HEX_DUMP = re.compile(r"\s+0x[0-9a-f]{4}:")
_AROUND = re.compile(
    r"\s*(?:tcpdump: |listening on |reading from |\^C|\d+ packets? (?:captured|received|dropped)"
    r"|dropped privs|\[ *\d+\.\d+\])"
)
_RECORD_LINES_MAX = 64  # a DHCP message printed with -vvv has some forty

COMMANDS: tuple[tuple[str, ...], ...] = (("tcpdump",),)
SHAPE: re.Pattern[str] | None = re.compile(
    rf"{_TIME}{_COLUMNS}(?:IP6? |ARP, |STP |{_BYTES} |ethertype )"
)
FILLS: tuple[type[Row], ...] = (Sighting,)


class _Where(NamedTuple):
    """What the command says of every packet."""

    dev: str | None
    direction: Literal["in", "out"] | None


def parse(text: Text) -> Parsed:
    """Sightings in the order of the listing; ``length`` is the frame's with ``-e``, else the
    packet's or payload's, whichever tcpdump printed."""
    from hopback.sources.parse.tcpdump_messages import messages  # most texts show no capture

    rows: list[Row] = []
    problems: list[Problem] = []
    where = _where(text.command)
    index = 0
    while index < len(text.lines):
        line = text.lines[index]
        head = _HEAD.match(line)
        if head:
            more = list(_continuation(text.lines, index))
            seen = _sighting(text, index, where, head, more)
            rows += (seen, *messages(seen, " ".join([head["rest"], *map(str.strip, more)])))
            index += len(more)
        elif match := _WHERE.search(line):
            where = where._replace(dev=None if match["dev"] == "any" else match["dev"])
        elif not line[:1].isspace() and not _AROUND.match(line):
            problems += stray(text, index, "tcpdump")
        index += 1
    return Parsed(rows, problems)


def _where(command: Sequence[str]) -> _Where:
    dev: str | None = None
    direction: Literal["in", "out"] | None = None
    for word, following in zip(command, (*command[1:], ""), strict=False):
        if match := re.fullmatch(r"(?:-i|--interface=)(.+)", word):
            dev = match[1]
        elif re.fullmatch(r"-[A-Za-z#]*i|--interface", word):
            dev = following or None
        elif word == "inbound" or (word in ("-Q", "-P") and following == "in"):
            direction = "in"
        elif word == "outbound" or (word in ("-Q", "-P") and following == "out"):
            direction = "out"
    return _Where(None if dev == "any" else dev, direction)


def _continuation(lines: Sequence[str], index: int) -> Iterator[str]:
    """The indented lines of a packet; only -v (which shows TTLs) and hex dumps make such."""
    verbose = _TTL.search(lines[index]) is not None
    for line in lines[index + 1 : index + 1 + _RECORD_LINES_MAX]:
        if not (line[:1].isspace() and line.strip()) or _HEAD.match(line):
            return
        if not verbose and not _HEX_DUMP.match(line):
            return
        yield line


def _sighting(
    text: Text, index: int, where: _Where, head: re.Match[str], more: list[str]
) -> Sighting:
    rest = head["rest"]
    source_mac = target_mac = vlan = length = None
    if ethernet := _ETHERNET.match(rest):
        source_mac, target_mac = mac_or_none(ethernet["source"]), _target_mac(ethernet["target"])
        rest = ethernet["rest"]
    while layer := _LAYER.match(rest):
        vlan = int(layer["vlan"]) if layer["vlan"] and vlan is None else vlan
        length = int(layer["length"]) if layer["length"] and length is None else length
        rest = rest[layer.end() :]
    payload = " ".join([rest, *(line.strip() for line in more if not _HEX_DUMP.match(line))])
    payload = re.sub(r"\AIP6? ", "", payload)
    source, target = _addresses(payload)
    ttl, shown_length = _TTL.search(payload), _LENGTH.search(payload)
    if length is None and shown_length:
        length = int(shown_length[1])
    way = head["way"]
    return Sighting(
        cite=text.cite(index),
        netns=text.netns,
        at=_at(head),
        dev=head["dev"] or where.dev,
        direction=where.direction if way is None else "out" if way == "Out" else "in",
        source_mac=source_mac,
        target_mac=target_mac,
        vlan=vlan,
        source=source,
        target=target,
        ttl=int(ttl[1]) if ttl else None,
        length=length,
        key=" ".join(_CHANGING.sub("", payload).split()),
    )


def _at(head: re.Match[str]) -> int | None:
    fraction = nanoseconds(head["fraction"])
    if head["epoch"]:
        return int(head["epoch"]) * 10**9 + fraction
    if head["date"]:
        whole = log_time(f"{head['date']} {head['clock']}")
        return None if whole is None else whole + fraction
    hours, minutes, seconds = map(int, head["clock"].split(":"))
    return ((hours * 60 + minutes) * 60 + seconds) * 10**9 + fraction


def _target_mac(word: str | None) -> Mac | None:
    return BROADCAST if word == "Broadcast" else mac_or_none(word)


def _addresses(payload: str) -> tuple[str | None, str | None]:
    if match := _ARP.search(payload):
        return _ip(match["asker"] or match["owner"]), _ip(match["wanted"])
    # With -v the header in parentheses precedes them; in it, "->" stands for a fixed checksum.
    if match := _ADDRESSES.search(payload):
        return _ip(match["source"]), _ip(match["target"])
    return None, None


def _ip(word: str | None) -> str | None:
    """The address of ``10.0.0.1.5000`` or ``fe80::1.546``; None for names and cut ones."""
    if not word:
        return None
    candidates = [word, word.rpartition(".")[0]] if "." in word else [word]
    for candidate in candidates:
        try:
            return str(ip_address(candidate))
        except ValueError:
            continue
    return None
