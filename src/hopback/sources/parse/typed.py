"""Commands that make a topology, read as evidence of what they made.

``ip link add veth0 type veth peer name veth1`` typed at a prompt says as much as a listing would,
as long as nothing after it says otherwise: later rows win where rows are merged.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from ipaddress import ip_interface
from itertools import pairwise
from typing import Any

from hopback.snapshot.rows import Address, Bridge, BridgePort, Link, Row, Sysctl, VlanDevice
from hopback.snapshot.table import Cite
from hopback.sources.parse.commands import Command
from hopback.sources.parse.ipvs_save import save_row

_Make = Callable[[Command, Cite], Iterator[Row]]

_SWITCH = {"on": True, "yes": True, "1": True, "off": False, "no": False, "0": False}
_PORT_FLAGS = {
    "hairpin": "hairpin",
    "hairpin_mode": "hairpin",
    "learning": "learning",
    "flood": "flood",
    "unicast_flood": "flood",
    "mcast_flood": "mcast_flood",
    "multicast_flood": "mcast_flood",
    "bcast_flood": "bcast_flood",
    "broadcast_flood": "bcast_flood",
    "isolated": "isolated",
    "locked": "locked",
    "neigh_suppress": "neigh_suppress",
    "proxy_arp": "proxyarp",
    "guard": "guard",
    "root_block": "root_block",
}
_BRIDGE_FLAGS = {
    "stp_state": "stp",
    "vlan_filtering": "vlan_filtering",
    "mcast_snooping": "mcast_snooping",
    "multicast_snooping": "mcast_snooping",
}
_SYSFS_PORT = re.compile(r"/sys/.*/(?:([^/]+)/brif/([^/]+)|([^/]+)/brport)/(\w+)")
_SYSFS_BRIDGE = re.compile(r"/sys/.*/([^/]+)/bridge/(\w+)")
_NO_BRIDGE = re.compile(r"bond|team|vrf")
_NOT_NAMES = frozenset({"up", "down", "master", "type", "nomaster", "set", "dev", "name"})


def typed_rows(command: Command, cite: Cite) -> tuple[Row, ...]:
    """What a typed command made or set; no rows for any other command."""
    plain = command.plain
    for start, make in _MAKERS.items():
        if plain[: len(start)] == start:
            return tuple(make(command, cite))
    return ()


def _after(words: Sequence[str], word: str) -> str | None:
    """The word that follows ``word``."""
    found = [b for a, b in pairwise(words) if a == word]
    return found[0] if found else None


def _switches(words: Sequence[str], names: Mapping[str, str]) -> dict[str, Any]:
    pairs = pairwise(words)
    return {names[a]: _SWITCH[b] for a, b in pairs if a in names and b in _SWITCH}


def _link_add(command: Command, cite: Cite) -> Iterator[Row]:
    words = command.plain[3:]
    kind = _after(words, "type")
    named = [w for w in words[:1] if w not in ("link", *_NOT_NAMES)]
    name = _after(words[: words.index("type")] if kind else words, "name") or "".join(
        _after(words, "dev") or "".join(named)
    )
    if not name or kind is None:
        return
    netns, settings = command.netns, words[words.index("type") + 2 :]
    lower = _after(words, "link")
    if kind == "veth" and (peer := _after(settings, "name") or _after(settings, "peer")):
        yield Link(cite=cite, netns=netns, name=name, kind=kind, lower=peer)
        yield Link(cite=cite, netns=netns, name=peer, kind=kind, lower=name)
        return
    yield Link(cite=cite, netns=netns, name=name, kind=kind, lower=lower)
    if kind == "bridge":
        yield Bridge(cite=cite, netns=netns, name=name, **_switches(settings, _BRIDGE_FLAGS))
    vid = _after(settings, "id")
    if kind == "vlan" and vid and vid.isdecimal():
        yield VlanDevice(cite=cite, netns=netns, name=name, vid=int(vid[:5]), lower=lower)


def _link_set(command: Command, cite: Cite) -> Iterator[Row]:
    words = command.plain[3:]
    name = _after(words, "dev") or "".join(words[:1])
    if not name:
        return
    netns, master = command.netns, _after(words, "master")
    up = True if "up" in words[1:] else False if "down" in words[1:] else None
    if master or up is not None:
        yield Link(cite=cite, netns=netns, name=name, up=up, master=master)
    if master and not _NO_BRIDGE.match(master):
        yield BridgePort(cite=cite, netns=netns, name=name, bridge=master)
    kind = _after(words, "type")
    if kind == "bridge_slave" and (flags := _switches(words, _PORT_FLAGS)):
        yield BridgePort(cite=cite, netns=netns, name=name, **flags)
    if kind == "bridge":
        yield Bridge(cite=cite, netns=netns, name=name, **_switches(words, _BRIDGE_FLAGS))


def _bridge_link_set(command: Command, cite: Cite) -> Iterator[Row]:
    words = command.plain[3:]
    name, flags = _after(words, "dev"), _switches(words, _PORT_FLAGS)
    if name and flags:
        yield BridgePort(cite=cite, netns=command.netns, name=name, **flags)


def _brctl(command: Command, cite: Cite) -> Iterator[Row]:
    _, verb, *names = command.plain
    netns = command.netns
    match verb, names:
        case "addbr", [bridge]:
            yield Link(cite=cite, netns=netns, name=bridge, kind="bridge")
            yield Bridge(cite=cite, netns=netns, name=bridge)
        case "addif", [bridge, *ports]:
            for port in ports:
                yield BridgePort(cite=cite, netns=netns, name=port, bridge=bridge)
        case "hairpin", [bridge, port, state] if state in _SWITCH:
            on = _SWITCH[state]
            yield BridgePort(cite=cite, netns=netns, name=port, bridge=bridge, hairpin=on)
        case "stp", [bridge, state] if state in _SWITCH:
            yield Bridge(cite=cite, netns=netns, name=bridge, stp=_SWITCH[state])


def _echo(command: Command, cite: Cite) -> Iterator[Row]:
    """``echo 1 > FILE`` of sysfs or /proc/sys."""
    value, path, netns = " ".join(command.plain[1:]), command.into or "", command.netns
    if match := _SYSFS_PORT.fullmatch(path):
        bridge, name = match[1], match[2] or match[3]
        if flags := _switches((match[4], value), _PORT_FLAGS):
            yield BridgePort(cite=cite, netns=netns, name=name, bridge=bridge, **flags)
    elif match := _SYSFS_BRIDGE.fullmatch(path):
        if flags := _switches((match[2], value), _BRIDGE_FLAGS):
            yield Bridge(cite=cite, netns=netns, name=match[1], **flags)
    elif path.startswith("/proc/sys/"):
        key = path.removeprefix("/proc/sys/").replace("/", ".")
        yield Sysctl(cite=cite, netns=netns, key=key, value=value)


def _sysctl(command: Command, cite: Cite) -> Iterator[Row]:
    for word in command.plain[1:]:
        key, equals, value = word.partition("=")
        if equals:
            yield Sysctl(cite=cite, netns=command.netns, key=key.replace("/", "."), value=value)


def _address_add(command: Command, cite: Cite) -> Iterator[Row]:
    words = command.plain[3:]
    dev = _after(words, "dev")
    if dev and words:
        yield from _address(command, cite, dev, words[0])


def _ifconfig(command: Command, cite: Cite) -> Iterator[Row]:
    """``ifconfig lo:0 192.0.2.1 netmask 255.255.255.255 up``; an alias is a label of its device."""
    name, address, *rest = (*command.plain[1:], "", "")
    if netmask := _after(rest, "netmask"):
        yield from _address(command, cite, name.partition(":")[0], f"{address}/{netmask}")


def _address(command: Command, cite: Cite, dev: str, text: str) -> Iterator[Address]:
    with suppress(ValueError):
        found = ip_interface(text)
        address, length = str(found.ip), found.network.prefixlen
        yield Address(cite=cite, netns=command.netns, dev=dev, address=address, prefix_len=length)


def _ipvsadm(command: Command, cite: Cite) -> Iterator[Row]:
    row = save_row(command.words[1:], cite, command.netns)
    if row is not None:
        yield row


_MAKERS: dict[tuple[str, ...], _Make] = {
    ("ip", "link", "add"): _link_add,
    ("ip", "link", "set"): _link_set,
    ("ip", "address", "add"): _address_add,
    ("ifconfig",): _ifconfig,
    ("bridge", "link", "set"): _bridge_link_set,
    ("brctl", "addbr"): _brctl,
    ("brctl", "addif"): _brctl,
    ("brctl", "hairpin"): _brctl,
    ("brctl", "stp"): _brctl,
    ("echo",): _echo,
    ("sysctl",): _sysctl,
    ("ipvsadm",): _ipvsadm,
}
