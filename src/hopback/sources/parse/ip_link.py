"""``ip link`` with or without ``-d``, ``-s``, ``-br``, ``-o`` and ``-j``, and busybox's.

iproute2 ``ip/ipaddress.c:print_linkinfo``. What only newer versions print is None where it is
missing. One thing old ones get wrong: kernels before 2.6.39 do not tell the bridge of a port here.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from hopback.frames.mac import Mac
from hopback.snapshot.rows import Link, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse import ip_link_json
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import mac_or_none
from hopback.sources.parse.ip_link_facts import (
    Facts,
    blind_rows,
    detail_rows,
    macvlan_mode,
    vxlan_switches,
)
from hopback.sources.parse.json_objects import is_json
from hopback.sources.parse.listing import CUT, number, pairs, stray, unreadable
from hopback.sources.parse.tunnel_facts import kind_of, said_in_text

COMMANDS: tuple[tuple[str, ...], ...] = (("ip", "link"),)
SHAPE: re.Pattern[str] | None = re.compile(
    r"\s*\d+: [^\s:]+: <[^>]*> mtu \d+ (?=.*\bqdisc )(?=.*\bmode (?:DEFAULT|DORMANT)\b)"
    r"|\s*[^\s:]+\s+(?:UP|DOWN|UNKNOWN|LOWERLAYERDOWN|DORMANT)\s+(?:[0-9a-f:.]+ +)?<[A-Z_,-]+>\s*$"
    r'|\[ ?\{"ifindex":\d+,(?=.{0,1500}?"linkmode":)'
    r'|\[ ?\{(?:"link":"[^"]+",)?"ifname":"[^"]+","operstate":"\w+","address":'
)
FILLS: tuple[type[Row], ...] = (Link,)

_NAME = r"(?P<name>[^\s:@\x00-\x1f]+)(?:@(?P<at>[^\s:\x00-\x1f]+))?"
_HEADER = re.compile(
    rf"\s*(?P<number>\d{{1,9}}):\s+{_NAME}:\s+(?P<rest>(?:<|\[?(?:\.\.\.|…)|mtu ).*)"
)
BRIEF = re.compile(
    rf"\s*{_NAME}\s+(?P<state>UP|DOWN|UNKNOWN|LOWERLAYERDOWN|NOTPRESENT|TESTING|DORMANT)\b(?P<rest>.*)"
)
_FLAGS = re.compile(r"<(?P<names>[^>]*)(?P<closed>>?)")
_BUSYBOX_FLAGS = re.compile(r"(?P<name>[A-Z_-]*)(?P<more>[0-9a-f]+)?")
_PROMISC = 0x100  # IFF_PROMISC, which busybox has no name for
_XDP = re.compile(r"xdp(?:generic|drv|offload|multi)?(?:/id:\d+)?")
_KIND = re.compile(
    r"\s*(?P<kind>bridge|bond|vlan|vxlan|veth|tun|dummy|ifb|macvlan|macvtap|ipvlan|ipvtap|vrf|team"
    r"|gre|gretap|ip6gre|ip6gretap|erspan|ip6erspan|ipip|sit|ip6tnl|vti|vti6|geneve|bareudp|wireguard"
    r"|openvswitch|nlmon|macsec|hsr|batadv|ipoib|xfrm|vcan|vxcan|can|netdevsim|bond_slave|gtp|netkit)"
    r"(?:\s+(?:forward_delay|mode|protocol|id|type|remote|local|table|external|any|ipip|ip6ip|ip6ip6"
    r"|ip6gre|addrgenmode|numtxqueues|slave1|sci|if_id|pkey|state|\[|…).*|\s*)$"
)
_LEG = re.compile(r"\s*(?P<kind>[a-z]+)_slave\b")
_DETAIL = re.compile(
    r"link/\S+|inet6? [0-9a-fA-F:.]+|valid_lft |prog/xdp |vf \d|altname |alias |[RT]X(?: errors)?:"
)


class Stanza(NamedTuple):
    """One device: the index of its first line, the line taken apart, and its other lines."""

    at: int
    header: re.Match[str]
    details: list[tuple[int, str]]


class Flags(NamedTuple):
    """What the flags between ``<`` and ``>`` say; None where a cut hides it."""

    up: bool | None = None
    carrier: bool | None = None
    promisc: bool | None = None


def parse(text: Text) -> Parsed:
    """Devices, and with ``-d`` what they are: bridges, ports, bonds, legs, VLAN devices."""
    if is_json(text):
        return ip_link_json.parse(text)
    rows: list[Row] = []
    problems: list[Problem] = []
    for part in stanzas(text):
        if isinstance(part, Stanza):
            rows += device_rows(text, part)
            problems += device_problems(text, part)
        elif brief := BRIEF.match(part[1]):
            rows.append(brief_link(text, part[0], brief))
        else:
            problems += stray(text, part[0], "ip link")
    return Parsed(rows, problems)


def stanzas(text: Text) -> Iterator[Stanza | tuple[int, str]]:
    """The devices of a listing, and between them the lines that belong to none."""
    current: Stanza | None = None
    for index, whole in text.numbered():
        for line in whole.split("\\"):  # -o prints a backslash in place of a line's end
            if header := _HEADER.match(line):
                if current is not None:
                    yield current
                current = Stanza(index, header, [])
            elif current is not None and _belongs(line):
                current.details.append((index, line))
            else:
                yield index, line
    if current is not None:
        yield current


def _belongs(line: str) -> bool:
    """Details are indented, but not always in a paste."""
    return line[:1].isspace() or any(form.match(line) for form in (_DETAIL, _KIND, _LEG))


def device_rows(text: Text, stanza: Stanza) -> Iterator[Row]:
    """All that a stanza tells of its device, addresses apart."""
    own, as_leg = _facts(text, stanza)
    link = _link(text, stanza, own, as_leg.kind if as_leg else None)
    yield link
    yield from detail_rows(link, own, as_leg)
    words = [line.split() for _, line in stanza.details]
    switchdev = any("switchid" in line for line in words)
    sriov = any(line[:1] == ["vf"] and number(line[1]) is not None for line in words if line[1:])
    yield from blind_rows(link, switchdev, sriov)


def device_problems(text: Text, stanza: Stanza) -> Iterator[Problem]:
    """Addresses that cannot be read, such as redacted ones."""
    for index, line in stanza.details:
        kind, _, rest = line.strip().partition(" ")
        address = rest.partition(" ")[0]
        if kind == "link/ether" and mac_or_none(address) is None and not CUT.fullmatch(address):
            yield unreadable(text, index, "no MAC address")


def _facts(text: Text, stanza: Stanza) -> tuple[Facts | None, Facts | None]:
    own = as_leg = None
    for index, line in stanza.details:
        if match := _LEG.match(line):
            as_leg = as_leg or Facts(match["kind"], pairs(line.split()), text.cite(index))
        elif match := _KIND.match(line):
            own = own or Facts(match["kind"], _said(match["kind"], line), text.cite(index))
    return own, as_leg


def _said(kind: str, line: str) -> dict[str, object]:
    words = line.split()[1:]
    if kind_of(kind):
        return said_in_text(words)
    lone = vxlan_switches(words) if kind == "vxlan" and words else {}
    return {**pairs(words), **lone}


def _link(text: Text, stanza: Stanza, own: Facts | None, port_of: str | None) -> Link:
    kind = own.kind if own else None
    header = stanza.header
    words = header["rest"].split()
    said = pairs(words)
    flags = flags_of(header["rest"])
    # master stands between qdisc and what follows: if both are there, its absence tells.
    whole = "qdisc" in said and not any(CUT.fullmatch(word) for word in words)
    whole = whole and any(name in said for name in ("state", "mode", "group", "qlen"))
    xdp = any(_XDP.fullmatch(word) for word in words[: words.index("qdisc")]) if whole else None
    lower, lower_index = lower_of(header["at"], kind)
    hardware = _hardware(stanza)
    return Link(
        cite=text.cite(stanza.at),
        netns=text.netns,
        name=header["name"],
        index=number(header["number"]),
        kind=kind,
        mac=mac_or_none(hardware.get("link")),
        perm_mac=mac_or_none(hardware.get("permaddr")),
        up=flags.up,
        carrier=flags.carrier,
        promisc=flags.promisc,
        mtu=number(said.get("mtu")),
        master=said.get("master") or ("" if whole else None),
        port_of=port_of,
        lower=lower,
        lower_index=lower_index,
        lower_netnsid=number(hardware.get("link-netnsid")),
        peer_netns=hardware.get("link-netns"),
        xdp=xdp or _prints_xdp(stanza) or xdp,
        macvlan_mode=macvlan_mode(own),
    )


def _prints_xdp(stanza: Stanza) -> bool | None:
    return any(line.lstrip().startswith("prog/xdp ") for _, line in stanza.details) or None


def _hardware(stanza: Stanza) -> dict[str, str]:
    """What the ``link/…`` line says; the address itself stands under ``link``."""
    for _, line in stanza.details:
        words = line.split()
        if words and words[0].startswith("link/"):
            return {**pairs(words), "link": "".join(words[1:2])}
    return {}


def lower_of(at: str | None, kind: str | None) -> tuple[str | None, int | None]:
    """The name and the index of the device after ``@``."""
    if at is None:  # kernels before 4.1 do not tell a veth's peer
        return (None if kind == "veth" else ""), None
    if at == "NONE":
        return "", None
    if at.startswith("if") and (index := number(at[2:])) is not None:
        return None, index
    return at, None


def flags_of(rest: str) -> Flags:
    """The flags in a line, in iproute2's or busybox's spelling."""
    found = _FLAGS.search(rest)
    if found is None:
        return Flags()
    names: set[str] = set()
    for word in found["names"].split(","):
        if match := _BUSYBOX_FLAGS.fullmatch(word):
            names.add(match["name"])
            if match["more"] and int(match["more"][:8], 16) & _PROMISC:
                names.add("PROMISC")
    absent = False if found["closed"] else None
    up, carrier, promisc = (name in names or absent for name in ("UP", "LOWER_UP", "PROMISC"))
    return Flags(up, carrier, promisc)


def brief_link(text: Text, index: int, brief: re.Match[str]) -> Link:
    """The device of a line of ``ip -br link`` or ``ip -br addr``."""
    flags = flags_of(brief["rest"])
    lower, lower_index = lower_of(brief["at"], None)
    mac: Mac | None = mac_or_none("".join(brief["rest"].split()[:1]))
    return Link(
        cite=text.cite(index),
        netns=text.netns,
        name=brief["name"],
        mac=mac,
        up=flags.up,
        carrier=flags.carrier,
        promisc=flags.promisc,
        lower=lower,
        lower_index=lower_index,
    )
