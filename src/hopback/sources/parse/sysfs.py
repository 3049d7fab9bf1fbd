"""Bridge, bridge port and bond values of sysfs, in the forms in which people show them.

``PATH:VALUE`` of ``grep -r .``, ``PATH = VALUE`` of a shell loop, ``hairpin_mode 1`` with the
device in the file's name, and the lone value of ``cat PATH``. Every line makes a row of its own,
so that each fact cites the line that tells it. Files: ``net/bridge/br_sysfs_if.c``,
``br_sysfs_br.c``, ``drivers/net/bonding/bond_sysfs.c``, ``bond_sysfs_slave.c``.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from hopback.snapshot.rows import (
    PORT_STATES,
    Bond,
    BondLeg,
    Bridge,
    BridgePort,
    PortStateName,
    Row,
    UnnamedPort,
    Unread,
)
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import int_or_none, mac_or_none
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("cat|head|tail", "/sys/class/net/"),
    ("cat|head|tail", "/sys/devices/"),
    ("grep", ".", "/sys/class/net/"),
    ("grep", ".", "/sys/devices/"),
    ("sysfs",),
)
_PLACE = r"(?:brport|brif/[^/\s:]+|bridge|bonding_slave|bonding)"
SHAPE: re.Pattern[str] | None = re.compile(
    rf"[/.][^\s:]*/[^/\s:]+/{_PLACE}/[a-z_]+(?::| ?= ?| )\S|==> /sys/\S+ <==\Z"
)
FILLS: tuple[type[Row], ...] = ()  # what was asked of some devices says nothing of the others

_JIFFY = 10_000_000  # ns: sysfs shows bridge times in clock_t, 1/100 s


class _Spot(NamedTuple):
    """One sysfs file: which device's, of which kind (``brport``, ``bridge`` …)."""

    kind: str
    dev: str
    attribute: str
    bridge: str | None = None


def _flag(value: str) -> bool | None:
    number = int_or_none(value)
    return None if number is None else number != 0


def _word(value: str) -> str:
    return value.split(" ")[0]


def _time(value: str) -> int | None:
    number = int_or_none(value)
    return None if number is None else number * _JIFFY


def _state(value: str) -> PortStateName | None:
    number = int_or_none(value)
    return PORT_STATES[number] if number is not None and number < len(PORT_STATES) else None


_Reading = tuple[str, Callable[[str], Any]]

_PORT: dict[str, _Reading] = {
    "port_no": ("number", int_or_none),
    "state": ("state", _state),
    "hairpin_mode": ("hairpin", _flag),
    "learning": ("learning", _flag),
    "unicast_flood": ("flood", _flag),
    "multicast_flood": ("mcast_flood", _flag),
    "broadcast_flood": ("bcast_flood", _flag),
    "isolated": ("isolated", _flag),
    "proxyarp": ("proxyarp", _flag),
    "proxyarp_wifi": ("proxyarp_wifi", _flag),
    "neigh_suppress": ("neigh_suppress", _flag),
    "multicast_to_unicast": ("mcast_to_unicast", _flag),
    "multicast_router": ("mcast_router", int_or_none),
    "group_fwd_mask": ("group_fwd_mask", int_or_none),
    "backup_port": ("backup_port", _word),
    "bpdu_guard": ("guard", _flag),
    "root_block": ("root_block", _flag),
    "path_cost": ("cost", int_or_none),
    "priority": ("priority", int_or_none),
}
_BRIDGE: dict[str, _Reading] = {
    "bridge_id": ("bridge_id", _word),
    "stp_state": ("stp", _flag),
    "vlan_filtering": ("vlan_filtering", _flag),
    "vlan_protocol": ("vlan_protocol", int_or_none),
    "default_pvid": ("vlan_default_pvid", int_or_none),
    "forward_delay": ("forward_delay", _time),
    "ageing_time": ("ageing_time", _time),
    "group_fwd_mask": ("group_fwd_mask", int_or_none),
    "multicast_snooping": ("mcast_snooping", _flag),
    "multicast_querier": ("mcast_querier", _flag),
    "nf_call_iptables": ("nf_call_iptables", _flag),
    "topology_change": ("topology_change", _flag),
}
_BOND: dict[str, _Reading] = {
    "mode": ("mode", _word),
    "xmit_hash_policy": ("xmit_hash_policy", _word),
    "active_slave": ("active_slave", _word),
    "all_slaves_active": ("all_slaves_active", _flag),
    "ad_aggregator": ("active_aggregator", int_or_none),
    "ad_partner_mac": ("partner_mac", mac_or_none),
}
_LEG: dict[str, _Reading] = {
    "state": ("active", lambda value: value == "active"),
    "mii_status": ("mii_up", lambda value: value == "up"),
    "ad_aggregator_id": ("aggregator", int_or_none),
    "ad_actor_oper_port_state": ("actor_state", int_or_none),
    "ad_partner_oper_port_state": ("partner_state", int_or_none),
    "perm_hwaddr": ("perm_mac", mac_or_none),
}
_KINDS: dict[str, tuple[Callable[..., Row], dict[str, _Reading]]] = {
    "brport": (BridgePort, _PORT),
    "bridge": (Bridge, _BRIDGE),
    "bonding": (Bond, _BOND),
    "bonding_slave": (BondLeg, _LEG),
}

_PATH = re.compile(rf"(?:\S*/)?(?P<dev>[^/\s]+)/(?P<place>{_PLACE})(?:/(?P<attribute>\S*))?\Z")
_PATH_LINE = re.compile(r"(?P<path>(?=[^\s:]*/)[^\s:]+)(?: ?[:=] ?| )(?P<value>.*)")
_BANNER = re.compile(r"==> (?P<path>\S+) <==\s*\Z")
_NAMED = re.compile(r"\s*(?P<attribute>[a-z_]+)(?: ?[:=] ?|\s+)(?P<value>\S.*)")
_LONE = re.compile(r"\s*\S+(?: \d+)?\s*\Z")
_SAVED_AS = re.compile(r"sysfs-(?P<kind>brport|bridge|bonding_slave|bonding)-(?P<dev>\S+)\Z")
_GLOB = re.compile(r"/(?:(?P<bridge>[^/*?\[{$]+)/brif/[^/]+|[^/]+/brport)/hairpin_mode\Z")
_UNNAMED = re.compile(r"[*?$\[{]")  # a glob or a shell variable stands where the name should


def parse(text: Text) -> Parsed:
    """One row for every value that concerns what hopback models; other sysfs files are no problem.

    Values that cannot be assigned to a device (``cat …/veth*/hairpin_mode``) are a problem, and
    ``Unread`` if any of them is not 0. Hairpin of the ports that a glob means is told all the same.
    """
    paths = [word for word in text.command if "/" in word]
    directory = _directory(text.command, paths)
    rows: list[Row] = []
    problems: list[Problem] = []
    lone: list[tuple[int, str]] = []
    banner = ""
    for index, line in text.numbered():
        named = _NAMED.match(line)
        if match := _BANNER.match(line):
            banner = match["path"]
        elif match := _PATH_LINE.match(line):
            rows += _rows(text, index, _spot(match["path"]), match["value"].strip())
        elif banner:
            rows += _rows(text, index, _spot(banner), line.strip())
        elif named and directory:
            spot = directory._replace(attribute=named["attribute"])
            rows += _rows(text, index, spot, named["value"].strip())
        elif paths and _LONE.match(line):
            lone.append((index, line.strip()))
        else:
            problems += stray(text, index, "sysfs values")
    rows += _assign(text, paths, lone, problems)
    return Parsed(rows, problems)


def _spot(path: str) -> _Spot | None:
    match = _PATH.match(path)
    if match is None or _UNNAMED.search(path):
        return None
    attribute = match["attribute"] or ""
    if match["place"].startswith("brif/"):
        return _Spot("brport", match["place"].removeprefix("brif/"), attribute, match["dev"])
    return _Spot(match["place"], match["dev"], attribute)


def _directory(command: tuple[str, ...], paths: list[str]) -> _Spot | None:
    """The device of lines that only name the attribute: in a path, or in the file's name."""
    if saved := _SAVED_AS.match("-".join(command)):
        return _Spot(saved["kind"], saved["dev"], "")
    spot = _spot(paths[0]) if len(paths) == 1 else None
    return spot if spot and not spot.attribute else None


def _assign(
    text: Text, paths: list[str], lone: list[tuple[int, str]], problems: list[Problem]
) -> Iterator[Row]:
    """Lone values, one for each path of the command, in its order."""
    if not lone:
        return
    if len(lone) == len(paths) and not any(_UNNAMED.search(path) for path in paths):
        for path, (index, value) in zip(paths, lone, strict=True):
            yield from _rows(text, index, _spot(path), value)
        return
    index = lone[0][0]
    attribute = paths[0].rsplit("/", 1)[-1]
    message = f"whose {attribute} these are cannot be told: show them with grep . {paths[0]}"
    problems.append(text.problem(index, message))
    if len(paths) == 1 and (found := _GLOB.search(paths[0])):
        for at, value in lone:
            if (on := _flag(value)) is not None:
                yield UnnamedPort(
                    cite=text.cite(at), netns=text.netns, bridge=found["bridge"], hairpin=on
                )
    if any(value != "0" for _, value in lone):
        what = f"sysfs {attribute} of devices that are not named"
        yield Unread(cite=text.cite(index), netns=text.netns, what=what)


def _rows(text: Text, index: int, spot: _Spot | None, value: str) -> Iterator[Row]:
    if spot is None or not value:
        return
    cite = text.cite(index)
    if spot.kind == "bonding" and spot.attribute == "slaves":
        for leg in value.split():
            yield BondLeg(cite=cite, netns=text.netns, name=leg, bond=spot.dev)
        return
    row_type, readings = _KINDS[spot.kind]
    if spot.attribute not in readings:
        return
    field, read = readings[spot.attribute]
    fact: dict[str, Any] = {field: read(value)}
    if fact[field] is None:
        return
    if spot.bridge is not None:
        fact["bridge"] = spot.bridge
    yield row_type(cite=cite, netns=text.netns, name=spot.dev, **fact)
