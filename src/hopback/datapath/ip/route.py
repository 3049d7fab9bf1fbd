"""Which way a packet goes: by the policy rules, the tables that they name, and the next hops.

net/ipv4/fib_rules.c, fib_semantics.c; net/ipv6/fib6_rules.c, route.c (Linux 6.12).
"""

from ipaddress import IPv4Address
from typing import Literal, NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Question, Why, World
from hopback.datapath.ip.choose import Chosen, choose4, choose6
from hopback.datapath.ip.fib import REFUSING, Hop, Route, Table
from hopback.datapath.ip.forwarding import forwards
from hopback.datapath.ip.host import Host, VrfOf
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.multipath import asked, defaults, taking
from hopback.datapath.ip.policy import L3MDEV, Policy, fits, is_usual
from hopback.datapath.skb import Ip
from hopback.network.facts import Fact, Ref, merge_refs

ALL = IPv4Address("255.255.255.255")
_NO_VRF = VrfOf("", "")
_LOCAL: frozenset[str] = frozenset({"local", "anycast"})

REFUSED = frozenset({"ip-no-route", *REFUSING.values()})
"""The rules by which a route refuses a packet: the sender may be told (ip_error)."""

Refusal = Drop | Ask | Blind


class Way(Struct, frozen=True):
    """Up the stack (local, broadcast), or out by ``dev`` to the neighbour ``nexthop``.

    ``source`` is the address that the route gives to packets of the host's own that have none.
    """

    kind: Literal["local", "broadcast", "out"]
    dev: str
    nexthop: Ip
    refs: tuple[Ref, ...] = ()
    source: Ip | None = None


class Found(NamedTuple):
    """The route of a packet, and those next hops that may take it."""

    route: Route
    hops: tuple[Hop, ...]
    refs: tuple[Ref, ...]

    @property
    def is_for_others(self) -> bool:
        """Whether the packet is not for the host itself."""
        return self.route.kind not in _LOCAL and self.route.kind != "broadcast"


def lookup(host: Host, world: World, key: Key) -> Way | Refusal:
    """The way of a packet (ip_route_input_slow, ip6_route_input; ip_route_output_key, …).

    A packet of the host's own that is for a group, or for all, leaves by the device that it is
    bound to, or that has its source. Groups are taken to be heard: which ones the host has joined
    is in no table.
    """
    if key.target.is_multicast or key.target == ALL:
        return _to_group(host, world, key)
    found = find(host, world, key)
    if isinstance(found, Drop) and key.target.version == 4 and _is_bound(host, key):
        return Way("out", key.oif, key.target)  # it is taken to be on the link
    return way_of(host, world, key, found) if isinstance(found, Found) else found


def _is_bound(host: Host, key: Key) -> bool:
    """Whether a packet of the host's own has to leave by a device, whatever the routes."""
    return bool(key.oif) and not key.iif and key.oif not in host.vrfs


def _to_group(host: Host, world: World, key: Key) -> Way | Refusal:
    if key.iif:
        return Way("broadcast", key.iif, key.target)
    own = host.addresses.get(key.source) if key.source else None
    if key.oif or own:
        dev, refs = (key.oif, ()) if key.oif or not own else (own.dev, own.refs)
        return Way("out", dev, key.target, refs)
    found = find(host, world, key)
    return way_of(host, world, key, found) if isinstance(found, Found) else found


def way_of(host: Host, world: World, key: Key, found: Found) -> Way | Ask | Blind:
    """The way that a route is, by one of its next hops."""
    route, refs = found.route, found.refs
    if route.kind in _LOCAL or route.kind == "broadcast":
        kind: Literal["local", "broadcast"] = "local" if route.kind in _LOCAL else "broadcast"
        return Way(kind, found.hops[0].dev, key.target, refs, route.source)
    if route.kind != "unicast":
        return Blind(f"a {route.kind} route", refs)
    equal = defaults(host, key, route)
    if len(equal) > 1:
        hop = asked(host, world, key, route, tuple(other.hops[0] for other in equal))
        refs = merge_refs(refs, *(other.refs for other in equal))
    else:
        hop = taking(host, world, key, route, found.hops)
    if isinstance(hop, Ask):
        return hop
    if not hop.dev:
        return Blind("a next hop whose device no listing tells", refs)
    return Way("out", hop.dev, hop.via or key.target, refs, route.source)


def find(host: Host, world: World, key: Key) -> Found | Refusal:
    """The route that the rules lead to, or why there is none."""
    found = _by_rules(host, world, key)
    usual = key.target.version == 4 and is_usual(host.policies[4], 4)
    if not usual or not isinstance(found, Found | Drop):
        return found
    merged = _merged(host, world, key)
    if isinstance(merged, Ask):
        return merged
    if _alike(found, merged):
        return found
    question = Question(host.id, *EVER_RULED)
    if question not in world:
        return Ask(question)
    return found if world[question] == "yes" else merged


EVER_RULED = ("has it ever had other policy rules than the usual ones?", ("yes", "no"), "no")
"""The kernel goes on as if it had (fib_has_custom_rules)."""


def _alike(one: Found | Refusal, other: Found | Drop) -> bool:
    if isinstance(one, Found) and isinstance(other, Found):
        return one.route is other.route
    return isinstance(one, Drop) and isinstance(other, Drop) and one.why.rule == other.why.rule


def _merged(host: Host, world: World, key: Key) -> Found | Drop | Ask:
    """Before there ever was another rule, the tables local and main are one (fib_trie_unmerge).

    Then the longest prefix of both counts, and a route that somebody entered into the table local
    does not hide the longer ones of main.
    """
    for names in (("local", "main"), ("default",)):
        tables = [host.table(4, name) for name in names]
        chosen = choose4([table for table in tables if table], key, key.oif, host.settings)
        if chosen is None or chosen.route.kind == "throw":
            continue
        route = chosen.route
        rule = next(p for p in host.policies[4] if p.table == route.table)
        refs = merge_refs(route.refs, rule.refs)
        if route.kind not in REFUSING:
            return Found(route, chosen.hops, refs)
        goes_on = _goes_on(host, world) if route.table != "default" else False
        if isinstance(goes_on, Ask):
            return goes_on
        if not goes_on:
            return Drop(Why(REFUSING[route.kind], refs))
    return Drop(Why("ip-no-route"))


def _goes_on(host: Host, world: World) -> bool | Ask:
    """Whether the table default is looked at even if main refuses the packet, as it once was.

    include/net/ip_fib.h:fib_lookup; mended in stable kernels of 2026, so no version tells.
    """
    table = host.table(4, "default")
    if table is None or not table.by_length:
        return False
    text = "does its kernel look into the table default after a route of main that refuses?"
    question = Question(host.id, text, ("yes", "no"), "no")
    return world[question] == "yes" if question in world else Ask(question)


def _by_rules(host: Host, world: World, key: Key) -> Found | Refusal:
    """One rule after the other (fib_rules_lookup)."""
    family = key.target.version
    if family in host.unsure:
        return Blind("policy rules of which some are not shown", host.unsure[family])
    devices = (key.vrf, key.oif, key.iif)
    vrf = next((host.vrfs[dev] for dev in devices if dev in host.vrfs), _NO_VRF)
    if key.oif and key.oif == vrf.dev:  # l3mdev_update_flow
        key = replace(key, oif="", vrf=vrf.dev)
    named = vrf.dev if host.kernel.rules_name_vrfs else ""
    refs: tuple[Ref, ...] = ()
    goto: int | None = None
    last: Policy | None = None
    for policy in host.policies[family]:
        if goto is not None and policy.priority != goto:
            continue
        goto = None
        fitting = fits(policy, key, named, in_vrf=bool(vrf.dev))
        if fitting is None:
            what = policy.unread or "the user whose packet it is"
            return Blind(f"a policy rule by {what}", merge_refs(policy.refs, refs))
        if not fitting:
            continue
        if policy.action == "goto":
            known = any(other.priority == policy.goto for other in host.policies[family])
            goto, refs = (policy.goto, refs + policy.refs) if known else (None, refs)
        elif policy.action != "nop":
            last = policy
            result = _acted(host, world, key, policy, vrf)
            if result is not None:
                return _also(result, merge_refs(policy.refs, refs))
    suppressed = _suppressed(host, world, key, last, vrf) if last else None
    return suppressed or Drop(Why("ip-no-route", refs))


def _suppressed(
    host: Host, world: World, key: Key, last: Policy, vrf: VrfOf
) -> Found | Refusal | None:
    """What IPv6 goes by if the last rule suppressed it: older kernels forget that they did.

    fib6_rules.c:fib6_rule_suppress; mended in stable kernels of 2026, so no version tells.
    """
    if key.target.version == 4 or last.longer < 0:
        return None
    found = _acted(host, world, key, replace(last, longer=-1), vrf)
    if not isinstance(found, Found):
        return None
    text = "does its kernel go by an IPv6 route that its last policy rule suppresses?"
    question = Question(host.id, text, ("yes", "no"), "no")
    if question not in world:
        return Ask(question)
    return _also(found, last.refs) if world[question] == "yes" else None


def _acted(
    host: Host, world: World, key: Key, policy: Policy, vrf: VrfOf
) -> Found | Refusal | None:
    """What a rule that fits leads to; None: to nothing, and the next rule is asked."""
    if policy.action == "unreachable":  # as if there were no route (ENETUNREACH)
        return Drop(Why("ip-no-route"))
    if policy.action in REFUSING:
        return Drop(Why(REFUSING[policy.action]))
    l3mdev = policy.table == L3MDEV
    found = in_table(host, world, key, vrf.table if l3mdev else policy.table, policy.longer)
    return _also(found, vrf.refs) if l3mdev and found is not None else found


def in_table(
    host: Host, world: World, key: Key, name: str, longer: int = -1
) -> Found | Refusal | None:
    """What a table has for a packet, None for nothing: only routes ``longer`` than that count."""
    family = key.target.version
    table = host.table(family, name)
    if table is None:
        return Blind(f"the IPv{family} routes of table {name}, which no listing shows", ())
    chosen = _chosen(host, world, key, table)
    if not isinstance(chosen, Chosen):
        return chosen
    route = chosen.route
    refs = merge_refs(route.refs, chosen.refs)
    if route.kind == "throw":
        return None
    if route.kind in REFUSING:
        return Drop(Why(REFUSING[route.kind], refs))
    if route.to.prefixlen <= longer:
        return None
    return Found(route, chosen.hops, refs)


def _chosen(host: Host, world: World, key: Key, table: Table) -> Chosen | Ask | Blind | None:
    oif = "" if key.oif in host.vrfs and host.vrfs[key.oif].dev == key.oif else key.oif
    if key.target.version == 4:
        return choose4((table,), key, oif, host.settings)
    dev = key.iif or oif
    chosen = choose6(table, key, dev, host.settings)
    answering = _answering(host, key, table, dev) if isinstance(chosen, Chosen) else None
    if answering is None or answering == chosen:
        return chosen
    told = forwards(host, world, dev, 6)
    if isinstance(told, Ask):
        return told
    if isinstance(told, Fact):
        return chosen  # a router does not look whether gateways answer
    return answering


def _answering(host: Host, key: Key, table: Table, dev: str) -> Chosen | Blind | None:
    """The route by gateways that are not known to be silent (rt6_check_neigh)."""
    return choose6(table, key, dev, host.settings, host.failed) if host.failed else None


def _also(result: Found | Refusal, refs: tuple[Ref, ...]) -> Found | Refusal:
    """The result with what else led to it."""
    match result:
        case Found(route, hops, own):
            return Found(route, hops, merge_refs(own, refs))
        case Drop(why=why):
            return Drop(Why(why.rule, merge_refs(why.refs, refs)))
        case Blind(what=what, refs=own):
            return Blind(what, merge_refs(own, refs))
        case Ask():
            return result
