"""Random rulesets: tables of every family with sets, maps, chains, and rules of all kinds.

A seed decides everything. Not every rule is one that nft or the kernel at hand takes: whoever loads
a ruleset leaves out the lines that are refused.
"""

from collections.abc import Iterator
from random import Random

from tests.rulesets.matches import FIELDS, PAIRS, SETS, match, several
from tests.rulesets.values import ORDERED, PREFIXED, VALUES, address, prefix, span

FAMILIES = ("ip", "ip6", "inet", "bridge", "netdev", "arp")

_HOOKS = {
    "ip": ("prerouting", "input", "forward", "output", "postrouting"),
    "bridge": ("prerouting", "input", "forward", "output", "postrouting"),
    "netdev": ("ingress", "egress"),
    "arp": ("input", "output"),
}
_PRIORITIES = ("filter", "filter - 10", "filter + 5", "-7", "12", "raw", "mangle", "dstnat", "out")
_CHAINS = ("called", "also_called")
_VERDICTS = ("accept", "drop", "return", "continue", "jump called", "goto also_called")


def ruleset(seed: int, rules: int = 120) -> tuple[str, ...]:
    """The commands that make a ruleset, ``rules`` of them adding rules."""
    rng = Random(seed)
    return tuple(_commands(rng, rules))


def _commands(rng: Random, rules: int) -> Iterator[str]:
    places: list[tuple[str, str]] = []
    for family in FAMILIES:
        table = f"{family} t{rng.randint(0, 1)}"
        yield f"add table {table}"
        yield from _named(rng, table)
        for chain, hook in _chains(rng, family):
            yield f"add chain {table} {chain} {hook}"
            places.append((f"{table} {chain}", family))
    for _ in range(rules):
        place, family = rng.choice(places)
        yield f"add rule {place} {rule(rng, family, place)}"


def _named(rng: Random, table: str) -> Iterator[str]:
    for chain in _CHAINS:
        yield f"add chain {table} {chain}"
    for kind in SETS:
        found = sorted({VALUES[kind](rng).replace("*", "0") for _ in range(rng.randint(0, 5))})
        yield f"add set {table} plain_{kind} {{ type {kind}; {_elements(found)} }}"
        if kind in ORDERED or kind in PREFIXED:
            more = [span(kind, rng)] if kind in ORDERED else [prefix(kind, rng)]
            yield (
                f"add set {table} ranges_{kind} "
                f"{{ type {kind}; flags interval; auto-merge; {_elements([*found, *more])} }}"
            )
    for pair in PAIRS:
        joined = [" . ".join(VALUES[k](rng).replace("*", "0") for k in pair) for _ in range(3)]
        yield f"add set {table} {'_'.join(pair)} {{ type {' . '.join(pair)}; {_elements(joined)} }}"
    yield f"add set {table} seen {{ type ipv4_addr; flags dynamic,timeout; timeout 1h; }}"
    yield (
        f'add set {table} told {{ type ipv4_addr; comment "a {{ b"; flags timeout; '
        f'elements = {{ 10.9.9.9 timeout 1h comment "x, y" }} }}'
    )
    yield f"add map {table} verdicts {{ type ifname : verdict; {_map(rng, 'ifname')} }}"
    yield f"add map {table} targets {{ type inet_service : ipv4_addr . inet_service; }}"
    yield f"add element {table} targets {{ 80 : 10.0.0.1 . 8080, 443 : {address(rng)} . 8443 }}"
    yield f"add map {table} marks {{ typeof ip saddr : meta mark; }}"
    yield f"add element {table} marks {{ {address(rng)} : 0x5 }}"
    yield f"add counter {table} counted"


def _elements(found: list[str]) -> str:
    return f"elements = {{ {', '.join(dict.fromkeys(found))} }};" if found else ""


def _map(rng: Random, kind: str) -> str:
    keys = {VALUES[kind](rng).replace("*", "0") for _ in range(3)}
    pairs = (f"{key} : {rng.choice(_VERDICTS)}" for key in sorted(keys))
    return f"elements = {{ {', '.join(pairs)} }};"


def _chains(rng: Random, family: str) -> Iterator[tuple[str, str]]:
    yield "called", ""
    for hook in _HOOKS.get(family, _HOOKS["ip"]):
        device = "device lo " if family == "netdev" else ""
        policy = rng.choice(("accept", "drop")) if family != "netdev" else "accept"
        priority = rng.choice(_PRIORITIES)
        yield hook, f"{{ type filter hook {hook} {device}priority {priority}; policy {policy}; }}"
    if family in ("ip", "ip6", "inet"):
        yield "nat_pre", "{ type nat hook prerouting priority dstnat; }"
        yield "nat_post", "{ type nat hook postrouting priority srcnat + 1; }"
        yield "rerouted", "{ type route hook output priority mangle; }"


def rule(rng: Random, family: str, place: str) -> str:
    """A rule for the chain ``place``."""
    parts = [match(rng, family) for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3)))]
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        parts.append(_change(rng, family))
    if place.endswith("nat_pre"):
        parts.append(_destination(rng, family))
    elif place.endswith("nat_post"):
        parts.append(_source(rng, family))
    else:
        parts.append(_end(rng, family))
    if rng.random() < 0.1:
        parts.append('comment "see { here; # 1"')
    return " ".join(part for part in parts if part) or "counter"


def _change(rng: Random, family: str) -> str:
    to = "10.0.0.9" if family != "ip6" else "fd00::9"
    return rng.choice(
        (
            "counter",
            "counter packets 5 bytes 600",
            "counter name counted",
            'log prefix "dropped: { " level debug flags all',
            "log group 3 snaplen 20",
            "meta mark set " + VALUES["mark"](rng),
            "meta mark set meta mark & 0xff00 | " + VALUES["mark"](rng),
            "meta mark set meta mark ^ 0x3",
            "meta mark set ct mark & 0xff",
            "meta mark set ip saddr map @marks",
            "meta mark set tcp dport map { 22 : 0x1, 23 : 0x2 }",
            "meta mark set numgen inc mod 4",
            "ct mark set meta mark | 0x10",
            "ct zone set 5",
            "meta priority set 1:5",
            "meta nftrace set 1",
            "meta pkttype set host",
            "ip ttl set 64",
            "ip dscp set cs3",
            f"ip daddr set {to}",
            "ip6 hoplimit set 5",
            "tcp option maxseg size set rt mtu",
            "tcp dport set 99",
            "ether daddr set " + VALUES["ether_addr"](rng),
            "arp saddr ip set 10.0.0.1",
            "vlan id set 7",
            "notrack",
            "update @seen { ip saddr timeout 10s }",
            "add @seen { ip saddr limit rate 5/second }",
            "delete @seen { ip daddr }",
        )
    )


def _end(rng: Random, family: str) -> str:
    kind = rng.random()
    if kind < 0.55:
        return rng.choice(_VERDICTS)
    if kind < 0.65:
        return rng.choice(("reject", "reject with icmpx type admin-prohibited", "queue num 3"))
    if kind < 0.7:
        return "iifname vmap @verdicts"
    if kind < 0.75:
        return f"{rng.choice(('jump', 'goto'))} {{ {match(rng, family)} accept; counter; }}"
    if kind < 0.8:
        return 'dup to 10.0.0.7 device "lo"' if family == "ip" else 'fwd to "lo"'
    if kind < 0.9:
        pairs = {VALUES["inet_service"](rng): rng.choice(_VERDICTS) for _ in range(3)}
        joined = ", ".join(f"{key} : {verdict}" for key, verdict in pairs.items())
        return f"tcp dport vmap {{ {joined}, * : return }}"
    names = several(rng, family)
    row = " . ".join(VALUES[FIELDS[family][name]](rng).replace("*", "0") for name in names)
    return f"{' . '.join(names)} vmap {{ {row} : {rng.choice(_VERDICTS)} }}"


def _destination(rng: Random, family: str) -> str:
    of = "ip " if family == "inet" else ""
    if family == "ip6":
        return rng.choice(("dnat to fd00::5", "dnat to fd00::5-fd00::9", "redirect"))
    return rng.choice(
        (
            f"dnat {of}to {address(rng)}",
            f"tcp dport 80 dnat {of}to {address(rng)}:8080",
            f"meta l4proto tcp dnat {of}to 10.0.0.1-10.0.0.7:80-90 random,persistent",
            f"dnat {of}to tcp dport map {{ 80 : 10.0.0.1, 443 : 10.0.0.2 }}",
            f"dnat {of}to tcp dport map {{ 80 : 10.0.0.1 . 8080 }}",
            f"dnat {of}to tcp dport map @targets",
            f"dnat {of}to 10.3.0.0/24",
            f"dnat {of}prefix to ip daddr map {{ 10.1.0.0/24 : 10.2.0.0/24 }}",
            f"dnat {of}to numgen random mod 2 map {{ 0 : 10.0.0.1, 1 : 10.0.0.2 }}",
            "tcp dport 80 redirect to :8080",
            "udp dport 53 redirect to :53-59",
            "redirect",
        )
    )


def _source(rng: Random, family: str) -> str:
    of = "ip " if family == "inet" else ""
    if family == "ip6":
        return rng.choice(("snat to fd00::5", "masquerade", "masquerade random"))
    return rng.choice(
        (
            f"snat {of}to {address(rng)}",
            f"snat {of}to 10.0.0.1-10.0.0.9 persistent",
            f"meta l4proto udp snat {of}to 10.0.0.1:1000-2000",
            "masquerade",
            "masquerade fully-random,persistent",
            "meta l4proto tcp masquerade to :1024-65535",
        )
    )
