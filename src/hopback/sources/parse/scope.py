"""How much of a table a command shows."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from hopback.snapshot.rows import (
    Address,
    Bond,
    BondLeg,
    Bridge,
    Connection,
    FilterChain,
    FilterRule,
    FilterSet,
    KernelCounter,
    Link,
    PacketFilter,
    Route,
    Row,
    Rule,
    VlanDevice,
    Vxlan,
    WireguardPeer,
)
from hopback.sources.parse.commands import Command


class Scope(NamedTuple):
    """``dev`` is the bridge (bond, device) whose part of the table is shown, "" for all of it."""

    dev: str = ""
    complete: bool = True


ALL = Scope()
PART = Scope(complete=False)

_ONE_KIND: dict[str, tuple[type[Row], ...]] = {
    "bridge": (Bridge,),
    "bond": (Bond,),
    "vlan": (VlanDevice,),
    "vxlan": (Vxlan,),
    "bridge_slave": (),
    "bond_slave": (BondLeg,),
}
# Several programs keep packet filters, and each lists its own (iptables one family of addresses).
_FILTERED = (PacketFilter, FilterChain, FilterRule, FilterSet)
# Words after ``show`` that leave out devices by a property.
_FILTERS = frozenset({"up", "master", "vrf", "scope", "to", "label", "dynamic", "permanent"})
_WHOLE_FILES = frozenset(
    {
        *(f"/proc/net/{name}" for name in ("vlan/config", "nf_conntrack", "ip_vs", "ip_vs_conn")),
        "/etc/keepalived/keepalived.conf",
    }
)
# Options with which ipvsadm shows one service.
_OF_SERVICE = ("-t", "-u", "-f", "--tcp-service", "--udp-service", "--sctp-service")
_FAMILIES = ("-4", "-6", "-0")


def scope_of(command: Command, kind: type[Row]) -> Scope:
    """What the command lets through of the table of ``kind``; cut marks are not its doing."""
    scope = _shown(command, kind)
    return scope._replace(complete=False) if command.filtered else scope


def _shown(command: Command, kind: type[Row]) -> Scope:
    plain = command.plain
    match plain[:2]:
        case ("brctl", "show" | "showmacs" | "showstp"):
            return Scope(plain[2]) if len(plain) == 3 else ALL if len(plain) == 2 else PART
        case ("bridge", "fdb"):
            return _fdb(plain[2:])
        case ("bridge", "link") if len(plain) == 5 and plain[3] == "master":
            return Scope(plain[4])
        case ("bridge", "link" | "vlan" | "mdb"):
            return PART if _value(plain, "dev") or len(plain) > 3 else ALL
        case ("ip", "link" | "address" | "neigh"):
            return _ip(command, kind)
        case ("ip", "route"):
            return ALL if plain[2:] == ("show", "table", "all") and not _family(command) else PART
        case ("ip", "tunnel"):  # IPv4 or IPv6, and never those that carry frames
            return PART
        case ("wg", _):
            return _wg(plain[1:], kind)
        case ("ip", "rule"):  # without -6 only IPv4 rules are shown
            return PART
        case ("cat", path):
            return _file(path) if len(plain) == 2 else PART
        case _:
            return _other(command, kind)


def _value(words: Sequence[str], word: str) -> str | None:
    return next((b for a, b in pairwise(words) if a == word), None)


def _family(command: Command) -> bool:
    return any(word in _FAMILIES for word in command.words)


def _fdb(words: Sequence[str]) -> Scope:
    """A device's own entries are no bridge's table, and so neither are those of one port."""
    rest = [word for word in words if word != "show"]
    if not rest:
        return ALL
    if len(rest) == 2 and rest[0] in ("br", "bridge"):
        return Scope(rest[1])
    return PART


def _ip(command: Command, kind: type[Row]) -> Scope:
    words = command.plain[3:]
    if kind is Address and _family(command):
        return PART
    if wanted := _value(words, "type"):
        return ALL if kind in _ONE_KIND.get(wanted, ()) and len(words) == 2 else PART
    if any(word in _FILTERS for word in words):
        return PART
    names = [word for word in words if word != "dev"]
    return ALL if not names else Scope(names[0]) if len(names) == 1 else PART


def _wg(words: Sequence[str], kind: type[Row]) -> Scope:
    """It shows WireGuard's devices alone."""
    if kind is not WireguardPeer or words[:1] != ("show",):
        return PART
    rest = [word for word in words[1:] if word != "dump"]
    return ALL if rest in ([], ["all"]) else Scope(rest[0]) if len(rest) == 1 else PART


def _file(path: str) -> Scope:
    """``cat /proc/net/bonding/*`` shows every bond, one of the files only that bond."""
    bond = path.removeprefix("/proc/net/bonding/")
    if bond != path:
        return ALL if bond == "*" else Scope(bond)
    return ALL if path in _WHOLE_FILES else PART


def _other(command: Command, kind: type[Row]) -> Scope:
    """The rest."""
    plain = command.plain
    if kind in _FILTERED:
        return ALL if plain[:3] == ("nft", "list", "ruleset") and len(plain) == 3 else PART
    if plain[:1] == ("sysctl",):
        return ALL if command.option("-a") else PART
    if plain[:1] == ("ifconfig",):
        whole = command.option("-a") and len(plain) == 1
        return ALL if whole else Scope(plain[1]) if len(plain) == 2 else PART
    if kind is KernelCounter:  # without -z those that are 0 are left out
        return ALL if plain == ("nstat",) and command.option("-z") else PART
    if plain[:1] == ("ipvsadm",):
        return PART if command.option(*_OF_SERVICE, "--fwmark-service") else ALL
    if plain[:1] in (("dmesg",), ("journalctl",), ("uname",), ("hostnamectl",)):
        return ALL
    if plain[:2] == ("virsh", "list"):
        return ALL
    # conntrack shows IPv4 alone before 1.4.7, and never says so
    return PART if kind in (Link, Route, Rule, Connection) else ALL
