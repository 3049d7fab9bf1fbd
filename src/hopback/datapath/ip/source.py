"""Whether a packet may have the source it has (net/ipv4/fib_frontend.c, Linux 6.12).

IPv6 looks at the addresses, and never at the way back.
"""

from ipaddress import IPv4Address, IPv4Network

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Question, Why, World
from hopback.datapath.ip.fib import Hop
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.key import Key
from hopback.datapath.ip.policy import is_usual
from hopback.datapath.ip.route import ALL, EVER_RULED, Refusal, Way, find
from hopback.datapath.ip.settings import is_on, largest, of_both
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.network.facts import Fact, Ref, merge_refs

_ZERO = IPv4Network("0.0.0.0/8")
_LINK_GROUPS = IPv4Network("224.0.0.0/24")
_IGMP = 2
_MODES = ("0", "1", "2")


def martian(host: Host, packet: Ipv4, dev: str) -> Drop | None:
    """Addresses that no packet from the wire has (ip_route_input_slow, ip_mc_validate_source)."""
    source, target = packet.src, packet.dst
    if source.is_multicast or source == ALL:
        return Drop(Why("ip-martian"))
    to_all = target == ALL or (int(source) == 0 and int(target) == 0)
    if source in _ZERO and not to_all:
        heard = target in _LINK_GROUPS or (target.is_multicast and packet.protocol == _IGMP)
        return None if heard else Drop(Why("ip-martian"))
    if target in _ZERO and not to_all:
        return Drop(Why("ip-martian"))
    if (source.is_loopback or target.is_loopback) and not to_all:
        return None if _routes_loopback(host, dev) else Drop(Why("ip-martian"))
    return None


def _routes_loopback(host: Host, dev: str) -> bool:
    return is_on(largest(host.settings, 4, dev, "route_localnet"))


def martian6(packet: Ipv6) -> Drop | None:
    """The same for IPv6, before any filter sees it (ip6_input.c:ip6_rcv_core)."""
    source, target = packet.src, packet.dst
    confined = target.is_multicast and target.packed[1] & 0xF < 2  # to less than a link
    if source.is_multicast or source.is_loopback or target.is_loopback or confined:
        return Drop(Why("ip-martian"))
    return None


def validate(host: Host, world: World, key: Key, way: Way) -> Refusal | None:
    """Why a packet that goes ``way`` is dropped for its source (fib_validate_source).

    Where no listing tells rp_filter, it is asked if it decides.
    """
    source = key.source
    if not isinstance(source, IPv4Address) or source in _ZERO:
        return None
    told = largest(host.settings, 4, key.iif, "rp_filter")
    if told is not None:
        return _checked(host, world, key, way, told)
    outcomes = {text: _checked(host, world, key, way, Fact(int(text), ())) for text in _MODES}
    if len({outcome and type(outcome) for outcome in outcomes.values()}) == 1:
        return outcomes["1"]
    text = "is rp_filter on? (0 off, 1 strict, 2 loose)"
    question = Question(host.id._replace(name=key.iif), text, _MODES, "0")
    return outcomes[world[question]] if question in world else Ask(question)


def _checked(host: Host, world: World, key: Key, way: Way, strict: Fact[int]) -> Refusal | None:
    dev = key.iif
    accepts = largest(host.settings, 4, dev, "accept_local")
    told = accepts.refs if accepts else ()
    if not strict.value and not turns_back(host, way, dev):
        if accepts and accepts.value:
            return None
        if is_usual(host.policies[4], 4) and not host.own_locals:
            return _briefly(host, world, key, way, told)
    return _by_route(host, world, key, way, strict)


def _briefly(host: Host, world: World, key: Key, way: Way, told: tuple[Ref, ...]) -> Refusal | None:
    """Only the host's own addresses are looked for, if it never had policy rules."""
    own = host.addresses.get(key.source) if key.source else None
    if own is not None:
        return Drop(Why("ip-martian", merge_refs(own.refs, told)))
    thorough = _by_route(host, world, key, way, Fact(0, ()))
    if thorough is None:
        return None
    question = Question(host.id, *EVER_RULED)
    if question not in world:
        return Ask(question)
    return thorough if world[question] == "yes" else None


def _by_route(host: Host, world: World, key: Key, way: Way, strict: Fact[int]) -> Refusal | None:
    """__fib_validate_source: by the route back to the source."""
    dev = key.iif
    accepts = largest(host.settings, 4, dev, "accept_local")
    told = accepts.refs if accepts else ()
    found = find(host, world, key_back(host, key, way))
    if isinstance(found, Ask | Blind):
        return found
    if isinstance(found, Drop):
        return Drop(Why("ip-rp-filter", strict.refs + found.why.refs)) if strict.value else None
    local = found.route.kind == "local" and accepts and accepts.value
    if found.route.kind != "unicast" and not local:
        return Drop(Why("ip-martian", merge_refs(found.refs, told)))
    if not strict.value or any(_is_by(host, hop, dev) for hop in found.route.hops):
        return None
    if strict.value != 1 and host.has(dev):
        return None  # for a device without an address loose is as strict
    return Drop(Why("ip-rp-filter", merge_refs(strict.refs, found.refs)))


def turns_back(host: Host, way: Way, dev: str) -> bool:
    """Out by the device it came in by, which sends redirects: then the route back is looked up."""
    if way.kind != "out" or way.dev != dev:
        return False
    told = of_both(host.settings, 4, dev, "send_redirects")
    return any(fact is None or fact.value for fact in told)  # on unless it was switched off


def _is_by(host: Host, hop: Hop, dev: str) -> bool:
    """nhc_l3mdev_matches_dev: by the device, or by one that is enslaved to it."""
    vrf = host.vrfs.get(hop.dev)
    return hop.dev == dev or (vrf is not None and vrf.dev == dev)


def key_back(host: Host, key: Key, way: Way) -> Key:
    """The key of the way back: it comes in by the device by which the packet goes out.

    The mark counts only where src_valid_mark is set.
    """
    marked = largest(host.settings, 4, key.iif, "src_valid_mark")
    vrf = host.vrfs.get(key.iif)
    return replace(
        key,
        target=key.source or key.target,
        source=IPv4Address(0) if way.kind == "broadcast" else key.target,
        mark=key.mark if is_on(marked) else 0,
        iif=way.dev if way.kind == "out" else "",
        vrf=vrf.dev if vrf else "",
        source_port=key.target_port,
        target_port=key.source_port,
    )
