"""What a packet that came in is to this host (ip_route_input_slow, ip6_route_input; 6.12)."""

from ipaddress import IPv4Address

from hopback.datapath.effects import Ask, Blind, Drop, Question, Why, World
from hopback.datapath.ip.host import Family, Host
from hopback.datapath.ip.route import Way, lookup
from hopback.datapath.ip.source import martian, validate
from hopback.datapath.skb import Ip
from hopback.network.facts import Fact, merge_refs

Refusal = Drop | Ask | Blind


def route_input(host: Host, world: World, source: Ip, target: Ip, dev: str) -> Way | Refusal:
    """Where a packet goes that came in by ``dev``, or why it goes nowhere.

    For IPv4 that includes whether the host forwards at all; IPv6 asks later (ip6_forward).
    """
    if isinstance(source, IPv4Address) and isinstance(target, IPv4Address):
        return _route4(host, world, source, target, dev)
    return _lookup(host, target, dev)


def _lookup(host: Host, target: Ip, dev: str) -> Way | Drop | Blind:
    """Groups are taken to be heard: which ones the host has joined is in no table."""
    return Way("broadcast", dev, target) if target.is_multicast else lookup(host, target)


def _route4(
    host: Host, world: World, source: IPv4Address, target: IPv4Address, dev: str
) -> Way | Refusal:
    odd = martian(source, target)
    if odd is not None:
        return odd
    way: Way | Refusal = _lookup(host, target, dev)
    if isinstance(way, Drop) or (isinstance(way, Way) and way.kind == "out"):
        told = forwards(host, world, dev, 4)
        if not isinstance(told, Fact):
            return told  # nobody asks what the route would have been
        if isinstance(way, Way):
            way = Way(way.kind, way.dev, way.nexthop, merge_refs(told.refs, way.refs))
    if not isinstance(way, Way):
        return way
    return validate(host, world, source, dev) or way


def forwards(host: Host, world: World, dev: str, version: Family) -> Fact[bool] | Drop | Ask:
    """The rows by which the host forwards what comes in by ``dev``, or that it does not.

    IN_DEV_FORWARD is the device's own; for IPv6 what is set for all counts.
    """
    key = dev.replace(".", "/")
    keys: tuple[str, ...] = ("ipv6.conf.all.forwarding",)
    if version == 4:
        keys = (f"ipv4.conf.{key}.forwarding", "ipv4.ip_forward", "ipv4.conf.all.forwarding")
    fact = next((found for name in keys if (found := host.settings.get(name))), None)
    if fact is not None:
        off = Drop(Why("ip-forwarding-off", fact.refs))
        return Fact(True, fact.refs) if fact.value else off
    text = f"does it forward IPv{version}?"
    question = Question(host.id, text, ("yes", "no"), "yes" if host.router else "no")
    if question not in world:
        return Ask(question)
    return Fact(True, ()) if world[question] == "yes" else Drop(Why("ip-forwarding-off"))
