"""Whether a packet may have the source it has (net/ipv4/fib_frontend.c, Linux 6.12).

IPv6 has no such check.
"""

from ipaddress import IPv4Address, IPv4Network

from hopback.datapath.effects import Ask, Blind, Drop, Question, Why, World
from hopback.datapath.ip.host import Host
from hopback.datapath.ip.route import longest
from hopback.network.facts import Fact, Ref, merge_refs

_ALL = IPv4Address("255.255.255.255")
_ZERO = IPv4Network("0.0.0.0/8")

Refusal = Drop | Ask | Blind


def martian(source: IPv4Address, target: IPv4Address) -> Drop | None:
    """Addresses that no packet from the wire has (route.c:ip_route_input_slow)."""
    if source.is_multicast or source == _ALL:
        return Drop(Why("ip-martian"))
    to_all = target == _ALL or (int(source) == 0 and int(target) == 0)
    if source in _ZERO and not (to_all or target.is_multicast):
        return Drop(Why("ip-martian"))
    if target in _ZERO and not to_all:
        return Drop(Why("ip-martian"))
    if source.is_loopback or target.is_loopback:
        return Drop(Why("ip-martian"))
    return None


def validate(host: Host, world: World, source: IPv4Address, dev: str) -> Refusal | None:
    """Why a packet from ``source`` that came in by ``dev`` is dropped (fib_validate_source)."""
    if source in _ZERO:
        return None
    own = host.addresses.get(source)
    accepts = _largest(host, "ipv4.conf.*.accept_local", dev) if own else None
    if own is not None and not (accepts and accepts.value):
        return Drop(Why("ip-martian", merge_refs(own.refs, accepts.refs if accepts else ())))
    strict = _largest(host, "ipv4.conf.*.rp_filter", dev)
    if strict is not None and not strict.value:
        return None
    if own is not None:
        return _reverse(host, world, dev, strict, (own.dev, own.refs))
    if host.odd_rules:
        return Blind("the reverse path by policy routing", host.odd_rules)
    route = longest(host, source)
    if route is None or route.kind != "unicast":
        return _reverse(host, world, dev, strict, (None, route.refs if route else ()))
    return _reverse(host, world, dev, strict, (route.dev, route.refs))


_Back = tuple[str | None, tuple[Ref, ...]]
"""The device that leads back to the source (None: none does), and the rows that say so."""


def _reverse(
    host: Host, world: World, dev: str, strict: Fact[int] | None, back: _Back
) -> Drop | Ask | None:
    """The way back has to be by the same device (1), or by any (2).

    For a device without an address of its own both are the same.
    """
    if back[0] == dev:
        return None
    loose = back[0] is not None and host.has(dev)
    if strict is None:
        return _unknown(host, world, dev, loose=loose)
    if loose and strict.value != 1:
        return None
    return Drop(Why("ip-rp-filter", merge_refs(strict.refs, back[1])))


def _unknown(host: Host, world: World, dev: str, *, loose: bool) -> Drop | Ask | None:
    text = "is rp_filter on? (0 off, 1 strict, 2 loose)"
    question = Question(host.id._replace(name=dev), text, ("0", "1", "2"), "0")
    if question not in world:
        return Ask(question)
    if world[question] == "0" or (world[question] == "2" and loose):
        return None
    return Drop(Why("ip-rp-filter"))


def _largest(host: Host, name: str, dev: str) -> Fact[int] | None:
    """IN_DEV_MAXCONF: the larger of what is set for all devices and for this one."""
    key = dev.replace(".", "/")
    told = [fact for place in ("all", key) if (fact := host.settings.get(name.replace("*", place)))]
    if not told or (len(told) == 1 and not told[0].value):
        return None
    return max(told, key=lambda fact: fact.value)
