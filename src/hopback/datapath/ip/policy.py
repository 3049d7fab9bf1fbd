"""Policy rules: which tables a packet is looked up in (net/core/fib_rules.c; Linux 6.12)."""

from collections.abc import Callable, Iterator, Mapping
from ipaddress import ip_network
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.ip.fib import REFUSING, Family, Prefix
from hopback.datapath.ip.key import Key
from hopback.network.facts import Ref
from hopback.snapshot.rows import Rule

L3MDEV = "[l3mdev-table]"
"""The table of the VRF that the packet belongs to."""

_ALL_BITS = 0xFFFF_FFFF
_PROTOCOLS = {
    "icmp": 1, "igmp": 2, "ipip": 4, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ah": 51,
    "ipv6-icmp": 58, "ospf": 89, "vrrp": 112, "sctp": 132,
}  # fmt: skip
_TOS_LOOKED_AT = {4: 0x1C, 6: 0xFC}
"""The bits of a TOS that rules compare (fib_dscp_masked_match, fib6_rule_match)."""

Ports = tuple[int, int]


class Policy(Struct, frozen=True):
    """A rule. What is None is not compared; ``action`` is lookup, goto, nop or in ``REFUSING``.

    ``table`` is that of a lookup, ``goto`` the priority at which it goes on. ``longer``: a route
    counts only if its prefix is longer than this (suppress_prefixlength). ``unread`` is what of
    the rule is not understood.
    """

    priority: int
    action: str = "nop"
    table: str = ""
    goto: int | None = None
    longer: int = -1
    inverted: bool = False
    source: Prefix | None = None
    target: Prefix | None = None
    tos: int | None = None
    mark: int = 0
    mask: int = 0
    iif: str | None = None
    oif: str | None = None
    uids: tuple[int, int] | None = None
    protocol: int | None = None
    source_ports: Ports | None = None
    target_ports: Ports | None = None
    unread: str = ""
    refs: tuple[Ref, ...] = ()


USUAL: Mapping[Family, tuple[Policy, ...]] = {
    4: (
        Policy(0, "lookup", "local"),
        Policy(32766, "lookup", "main"),
        Policy(32767, "lookup", "default"),
    ),
    6: (Policy(0, "lookup", "local"), Policy(32766, "lookup", "main")),
}
"""What every namespace begins with (fib_default_rules_init, fib6_rules_net_init)."""

WITH_VRFS: Mapping[Family, tuple[Policy, ...]] = {
    family: (rules[0], Policy(1000, "lookup", L3MDEV), *rules[1:])
    for family, rules in USUAL.items()
}
"""The same once there has been a VRF (drivers/net/vrf.c:vrf_add_fib_rules)."""


def is_usual(policies: tuple[Policy, ...], family: Family) -> bool:
    """Whether these are the rules that every namespace begins with."""
    return tuple(replace(policy, refs=()) for policy in policies) == USUAL[family]


def fits(policy: Policy, key: Key, vrf: str = "", *, in_vrf: bool = False) -> bool | None:
    """Whether the rule is about a packet (fib_rule_match); None: that cannot be told.

    ``in_vrf``: it belongs to a VRF. ``vrf`` is the device of that, which rules may name, too.
    """
    if not all(_compared(policy, key, vrf, in_vrf)):
        return policy.inverted
    if policy.unread or (policy.uids is not None and key.uid is None):
        return None
    told = policy.uids is None or policy.uids[0] <= (key.uid or 0) <= policy.uids[1]
    return told != policy.inverted


def _compared(policy: Policy, key: Key, vrf: str, in_vrf: bool) -> Iterator[bool]:
    yield policy.table != L3MDEV or in_vrf
    yield policy.iif in (None, key.iif or "lo", vrf or None)
    yield policy.oif in (None, key.oif or None, vrf or None)
    yield not (policy.mark ^ key.mark) & policy.mask
    yield policy.target is None or key.target in policy.target
    yield policy.source is None or (key.source is not None and key.source in policy.source)
    yield not policy.tos or policy.tos == key.tos & _TOS_LOOKED_AT[key.target.version]
    yield policy.protocol in (None, key.protocol)
    for ports, port in (
        (policy.source_ports, key.source_port),
        (policy.target_ports, key.target_port),
    ):
        yield ports is None or ports[0] <= port <= ports[1]


def policy_of(row: Rule, ref: Ref) -> Policy:
    """The rule of a row, in whose selector and action are the words of ``ip rule``."""
    policy = Policy(row.priority, refs=(ref,))
    words = iter((*row.selector.split(), *row.action.split()))
    unread = []
    for word in words:
        if word in _ALONE:
            policy = replace(policy, **_ALONE[word])
        elif word in _READERS:
            value = next(words, "")
            try:
                policy = replace(policy, **_READERS[word](value))
            except ValueError:
                unread.append(f"{word} {value}")
        elif word not in _SAYING_NOTHING:
            unread.append(word)
    return replace(policy, unread=" ".join(unread))


_Values = Mapping[str, Any]

_SAYING_NOTHING = frozenset({"[detached]", "[unresolved]"})
"""A device or a rule that is not there fits nothing anyway."""

_ALONE: Mapping[str, _Values] = {
    "not": {"inverted": True},
    "nop": {"action": "nop"},
    **{action: {"action": action} for action in REFUSING},
}


def _prefix(text: str) -> Prefix | None:
    return None if text in ("all", "default") else ip_network(text, strict=False)


def _mark(text: str) -> _Values:
    mark, _, mask = text.partition("/")
    return {"mark": int(mark, 0), "mask": int(mask, 0) if mask else _ALL_BITS}


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    return int(first), int(last or first)


def _protocol(text: str) -> int:
    return _PROTOCOLS[text] if text in _PROTOCOLS else int(text)


_READERS: Mapping[str, Callable[[str], _Values]] = {
    "from": lambda text: {"source": _prefix(text)},
    "to": lambda text: {"target": _prefix(text)},
    "tos": lambda text: {"tos": int(text, 16)},
    "fwmark": _mark,
    "iif": lambda text: {"iif": text},
    "oif": lambda text: {"oif": text},
    "uidrange": lambda text: {"uids": _range(text)},
    "ipproto": lambda text: {"protocol": _protocol(text)},
    "sport": lambda text: {"source_ports": _range(text)},
    "dport": lambda text: {"target_ports": _range(text)},
    "lookup": lambda text: {"action": "lookup", "table": text},
    "goto": lambda text: {"action": "goto", "goto": int(text)},
    "suppress_prefixlength": lambda text: {"longer": int(text)},
}
