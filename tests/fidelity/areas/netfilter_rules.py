"""Random tables of nftables: every match and statement that the model evaluates.

Their values are those of the frames of ``netfilter_frames``, so that much of it fits.
"""

from collections.abc import Callable, Sequence
from random import Random

from hopback.frames.mac import Mac, format_mac
from tests.fidelity.areas.netfilter_frames import (
    GROUP_MACS,
    MACS,
    MARKS,
    PORTS,
    V4,
    V6,
)
from tests.fidelity.areas.netfilter_sayable import names_type, sayable
from tests.fidelity.areas.netfilter_text import ChainText, TableText

_BASES = {
    "bridge": ("prerouting", "input", "forward", "output", "postrouting"),
    "ip": ("prerouting", "input", "forward", "postrouting"),
}
_PRIORITIES = (-300, -250, -150, -50, 0, 0, 10, 50, 90, 150, 300)
_RULES_MAX = 6
_USER_CHAINS = 3


class Tables:
    """Makes tables of one family; ``devices`` are the names that rules may ask for."""

    def __init__(self, chance: Random, family: str, devices: Sequence[str]) -> None:
        self.chance = chance
        self.family = family
        self.devices = devices
        self.objects: dict[str, str] = {}
        self.hook = ""
        self.kind = "filter"
        self.network, self.transport, self.tagged = "", "th", False

    def table(self, name: str) -> TableText:
        """A table with a few base chains, and chains to jump to."""
        users = [f"u{number}" for number in range(self.chance.randint(0, _USER_CHAINS))]
        chains: list[ChainText] = []
        for number in range(self.chance.randint(1, 3)):
            self._base()
            head = f"type {self.kind} hook {self.hook} priority {self._priority()};"
            policy = "drop" if self.chance.random() < 0.15 and self.kind == "filter" else "accept"
            rules = self._rules(users)
            if self.kind == "nat":  # else it depends on earlier rulesets whether it is called
                rules = (*rules, "ct mark 0x77  accept")
            chains.append(ChainText(f"b{number}", f"{head} policy {policy};", rules))
        self.hook, self.kind = "", "filter"
        for number, user in enumerate(users):
            chains.append(ChainText(user, "", self._rules(users[number + 1 :])))
        return TableText(self.family, name, tuple(self.objects.items()), tuple(chains))

    def _base(self) -> None:
        hooks = _BASES["bridge" if self.family == "bridge" else "ip"]
        self.hook = self.chance.choice(hooks)
        natted = self.family != "bridge" and self.hook != "forward"
        self.kind = "nat" if natted and self.chance.random() < 0.5 else "filter"

    def _priority(self) -> int:
        lowest = -199 if self.kind == "nat" else -400
        return self.chance.choice([each for each in _PRIORITIES if each >= lowest])

    def _rules(self, users: Sequence[str]) -> tuple[str, ...]:
        return tuple(self.rule(users) for _ in range(self.chance.randint(1, _RULES_MAX)))

    def rule(self, users: Sequence[str]) -> str:
        """Matches and a statement, two blanks between them."""
        self._begin()
        drawn = [self._match() for _ in range(self.chance.choice((0, 1, 1, 1, 2, 2, 3)))]
        found = sayable(drawn, bridged=self.family == "bridge")
        self.tagged = any(match.startswith("vlan") for match in found)
        found += [self._verdict(users)] if names_type(found) else self._statement(users)
        return "  ".join(found)

    def _begin(self) -> None:
        """Choose what the rule is about: nft refuses one that asks for two protocols."""
        layers = {
            "bridge": ("ip", "ip6", "arp", ""),
            "inet": ("ip", "ip6", ""),
            "ip": ("ip",),
            "ip6": ("ip6",),
        }
        self.network = self.chance.choice(layers[self.family])
        self.transport = self.chance.choice(("tcp", "udp", "icmp", "th"))
        self.tagged = False

    # --- matches

    def _match(self) -> str:
        """One on the packet's layers, or on what is known of any packet."""
        pool = self._any() + (self._bridge() if self.family == "bridge" else self._routed())
        layer = {"ip": self._ipv4, "ip6": self._ipv6, "arp": self._arp}.get(self.network)
        if layer is not None:
            pool = [*layer(), *(pool if self.chance.random() < 0.5 else [])]
        if self.network != "arp" and self.chance.random() < 0.3:
            pool = self._transport()
        return self.chance.choice(pool)()

    def _any(self) -> list[Callable[[], str]]:
        return [
            lambda: self._compared("meta l4proto", ("tcp", "udp", "icmp", "ipv6-icmp", "2")),
            lambda: self._compared("meta mark", MARKS, ranges=True),
            lambda: f"meta mark & 0x3 == {self.chance.choice(('0x1', '0x2', '0x0'))}",
            lambda: self._compared("meta length", ("28", "48", "60", "100"), ranges=True),
            lambda: self._compared("meta iifname", self.devices),
            lambda: self._compared("meta oifname", self.devices),
            lambda: f'meta iifname "{self.devices[0][:2]}*"',
            self._concatenated,
            self._looked_up,
        ]

    def _transport(self) -> list[Callable[[], str]]:
        if self.transport == "tcp":
            return [
                lambda: self._compared("tcp dport", PORTS, ranges=True),
                lambda: self._compared("tcp sport", PORTS, ranges=True),
                lambda: f"tcp flags {self.chance.choice(('syn', 'syn,ack', 'rst', '! syn'))}",
                lambda: f"tcp flags & (syn|ack) == {self.chance.choice(('syn', 'syn|ack'))}",
            ]
        if self.transport == "udp":
            return [
                lambda: self._compared("udp dport", PORTS, ranges=True),
                lambda: self._compared("udp length", ("8", "12", "20"), ranges=True),
            ]
        if self.transport == "icmp" and self.network == "ip":
            return [
                lambda: self._compared("icmp type", ("echo-request", "echo-reply", "3")),
                lambda: self._compared("icmp code", ("0", "1", "3")),
                lambda: self._compared("icmp id", ("7", "8")),
            ]
        if self.transport == "icmp" and self.network == "ip6":
            return [
                lambda: self._compared("icmpv6 type", ("echo-request", "echo-reply", "135", "136")),
                lambda: self._compared("icmpv6 code", ("0", "1")),
            ]
        return [
            lambda: self._compared("th dport", PORTS, ranges=True),
            lambda: self._compared("@th,16,16", PORTS),
        ]

    def _arp(self) -> list[Callable[[], str]]:
        return [
            lambda: self._compared("arp operation", ("request", "reply")),
            lambda: self._compared("arp saddr ip", V4),
            lambda: self._compared("arp daddr ip", V4),
            lambda: self._compared("arp saddr ether", [format_mac(mac) for mac in MACS]),
            lambda: self._compared("arp htype", ("1", "2")),
        ]

    def _ipv4(self) -> list[Callable[[], str]]:
        return [
            lambda: self._compared("ip saddr", V4, ranges=True),
            lambda: self._compared("ip daddr", V4, ranges=True),
            lambda: f"ip {self._end()} 10.{self.chance.randrange(3)}.0.0/24",
            lambda: f"ip {self._end()} & 0.0.0.3 == 0.0.0.{self.chance.randrange(4)}",
            lambda: self._compared("ip protocol", ("tcp", "udp", "icmp", "2")),
            lambda: self._compared("ip ttl", ("1", "63", "64", "255"), ranges=True),
            lambda: self._compared("ip dscp", ("0", "8", "46")),
            lambda: self._compared("ip ecn", ("0", "1")),
            lambda: self._compared("ip id", ("0", "7")),
            lambda: self._compared("ip length", ("28", "48", "60"), ranges=True),
            lambda: f"ip frag-off & 0x{self.chance.choice(('1fff', '3fff', '4000'))} != 0",
        ]

    def _ipv6(self) -> list[Callable[[], str]]:
        return [
            lambda: self._compared("ip6 saddr", V6, ranges=True),
            lambda: self._compared("ip6 daddr", V6, ranges=True),
            lambda: f"ip6 {self._end()} fd0{self.chance.randrange(2)}::/64",
            lambda: self._compared("ip6 nexthdr", ("tcp", "udp", "ipv6-icmp", "0", "60")),
            lambda: self._compared("ip6 hoplimit", ("1", "63", "64", "255"), ranges=True),
            lambda: self._compared("ip6 dscp", ("0", "8", "46")),
            lambda: self._compared("ip6 flowlabel", ("0", "5")),
            lambda: f"exthdr {self.chance.choice(('hbh', 'frag', 'dst'))} exists",
        ]

    def _bridge(self) -> list[Callable[[], str]]:
        return [
            lambda: self._compared("ether saddr", [format_mac(mac) for mac in MACS]),
            lambda: self._compared("ether daddr", [format_mac(m) for m in (*MACS, *GROUP_MACS)]),
            lambda: "ether daddr & 01:00:00:00:00:00 == 01:00:00:00:00:00",
            lambda: self._compared("ether type", ("ip", "ip6", "arp", "vlan", "0x88b5")),
            lambda: self._compared("meta protocol", ("ip", "ip6", "arp", "vlan", "0x88b5")),
            lambda: self._compared("vlan id", ("5", "6"), ranges=True),
            lambda: self._compared("vlan pcp", ("0", "3")),
            lambda: self._compared("vlan type", ("ip", "ip6", "arp")),
            lambda: self._compared("meta pkttype", ("host", "broadcast", "multicast", "other")),
            lambda: self._compared("@ll,0,48", [f"0x{mac:012x}" for mac in MACS]),
        ]

    def _routed(self) -> list[Callable[[], str]]:
        states = ("new", "established", "related", "invalid", "untracked")
        pool = [
            lambda: self._compared("ct state", states),
            lambda: f"ct state {','.join(self.chance.sample(states, 2))}",
            lambda: f"ct status {self.chance.choice(('snat', 'dnat', 'seen-reply', 'snat,dnat'))}",
            lambda: self._compared("ct mark", MARKS, ranges=True),
            lambda: self._compared("ct direction", ("original", "reply")),
            lambda: self._compared("meta nfproto", ("ipv4", "ipv6")),
            lambda: self._compared("ether saddr", [format_mac(mac) for mac in MACS]),
            lambda: self._compared("fib daddr type", ("local", "unicast")),
            lambda: self._compared("fib saddr type", ("local", "unicast")),
            lambda: self._compared("fib daddr . iif type", ("local", "unicast")),
        ]
        for family, addresses in (("ip", V4), ("ip6", V6)):
            if self.family in ("inet", family):
                pool += [self._ct_address(way, family, addresses) for way in ("original", "reply")]
        return pool

    def _ct_address(self, way: str, family: str, pool: Sequence[str]) -> Callable[[], str]:
        return lambda: self._compared(f"ct {way} {family} {self._end()}", pool)

    def _end(self) -> str:
        return self.chance.choice(("saddr", "daddr"))

    def _compared(self, field: str, pool: Sequence[str], *, ranges: bool = False) -> str:
        """The field and one or more of the values, or not."""
        kind = self.chance.random()
        if kind < 0.4:
            return f"{field} {self.chance.choice(pool)}"
        if kind < 0.55:
            return f"{field} != {self.chance.choice(pool)}"
        if ranges and kind < 0.65:
            low, high = sorted(self.chance.sample(range(len(pool)), 2))
            return f"{field} {pool[low]}-{pool[high]}"
        if ranges and kind < 0.72 and "addr" not in field:
            return (
                f"{field} {self.chance.choice(('<', '<=', '>', '>='))} {self.chance.choice(pool)}"
            )
        some = self.chance.sample(pool, min(len(pool), self.chance.randint(1, 3)))
        return f"{field} {self.chance.choice(('', '!= '))}{{ {', '.join(some)} }}"

    def _keys(self) -> list[tuple[str, str, Sequence[str]]]:
        """Fields for concatenations: their types and values."""
        macs = [format_mac(mac) for mac in MACS]
        keys: list[tuple[str, str, Sequence[str]]] = [
            ("meta iifname", "ifname", [f'"{device}"' for device in self.devices]),
            ("meta mark", "mark", MARKS),
            ("meta l4proto", "inet_proto", ("tcp", "udp", "icmp")),
            ("th dport", "inet_service", PORTS),
        ]
        if self.network == "ip":
            keys += [("ip saddr", "ipv4_addr", V4), ("ip daddr", "ipv4_addr", V4)]
        if self.network == "ip6":
            keys += [("ip6 saddr", "ipv6_addr", V6), ("ip6 daddr", "ipv6_addr", V6)]
        if self.family == "bridge" and not self.tagged:
            keys += [("ether saddr", "ether_addr", macs), ("ether daddr", "ether_addr", macs)]
        return keys

    def _drawn(self) -> tuple[str, str, list[str]]:
        """Fields joined, their types, and elements."""
        keys = self.chance.sample(self._keys(), self.chance.choice((1, 2, 2, 3)))
        elements = {
            " . ".join(self.chance.choice(pool) for _, _, pool in keys)
            for _ in range(self.chance.randint(1, 5))
        }
        fields = " . ".join(field for field, _, _ in keys)
        return fields, " . ".join(type_ for _, type_, _ in keys), sorted(elements)

    def _concatenated(self) -> str:
        fields, _, elements = self._drawn()
        return f"{fields} {self.chance.choice(('', '!= '))}{{ {', '.join(elements)} }}"

    def _looked_up(self) -> str:
        """A named set."""
        fields, types, elements = self._drawn()
        name = f"s{len(self.objects)}"
        body = f"type {types}\nelements = {{ {', '.join(elements)} }}"
        if types in ("ipv4_addr", "ipv6_addr") and self.chance.random() < 0.5:
            net = "10.0.0.0/24" if types == "ipv4_addr" else "fd01::/64"
            body = (
                f"type {types}\nflags interval\nauto-merge\nelements = {{ {net}, {elements[0]} }}"
            )
        self.objects[f"set {name}"] = body
        return f"{fields} {self.chance.choice(('', '!= '))}@{name}"

    # --- statements

    def _statement(self, users: Sequence[str]) -> list[str]:
        if self.kind == "nat" and self.chance.random() < 0.75:
            return self._nat()
        kind = self.chance.random()
        if self.kind == "nat":  # of a flooded packet it sees one copy alone, so let it change none
            return [self._verdict(users)]
        if kind < 0.25:
            return [*self._changed(), *([self._verdict(users)] if kind < 0.1 else [])]
        if kind < 0.37:
            return [self._verdict_map(users)]
        return [self._verdict(users)]

    def _verdict(self, users: Sequence[str]) -> str:
        words = ["accept", "drop", "return", "drop", "continue"]
        words += [f"jump {user}" for user in users] + [f"goto {user}" for user in users]
        if self.family != "bridge" and self.hook in ("input", "forward") and self.kind != "nat":
            words.append("reject")
        if self.kind == "nat":
            words = ["accept", "return"]
        return self.chance.choice(words)

    def _verdict_map(self, users: Sequence[str]) -> str:
        fields, types, elements = self._drawn()
        verdicts = [self._verdict(users) for _ in elements]
        verdicts = ["accept" if word == "reject" else word for word in verdicts]
        pairs = ", ".join(f"{e} : {v}" for e, v in zip(elements, verdicts, strict=True))
        if self.chance.random() < 0.6:
            return f"{fields} vmap {{ {pairs} }}"
        name = f"m{len(self.objects)}"
        self.objects[f"map {name}"] = f"type {types} : verdict\nelements = {{ {pairs} }}"
        return f"{fields} vmap @{name}"

    def _changed(self) -> list[str]:
        mark = self.chance.choice(MARKS)
        pool = [
            f"meta mark set {mark}",
            f"meta mark set meta mark or {mark}",
            f"meta mark set meta mark and {mark}",
            f"meta mark set meta mark xor {mark}",
        ]
        v4, v6 = self.chance.choice(V4), self.chance.choice(V6)
        if self.family == "bridge":
            macs: list[Mac] = list(MACS)
            pool += [
                f"ether saddr set {format_mac(self.chance.choice(macs))}",
                f"ether daddr set {format_mac(self.chance.choice(macs))}",
                f"ip saddr set {v4}",
                f"ip daddr set {v4}",
                "ip ttl set 9",
                "ip dscp set 8",
                f"ip6 saddr set {v6}",
                "ip6 hoplimit set 9",
                f"tcp dport set {self.chance.choice(PORTS)}",
                f"udp sport set {self.chance.choice(PORTS)}",
                "vlan id set 6",
            ]
        else:
            pool += [
                "notrack" if self.hook == "prerouting" else f"ct mark set {mark}",
                f"ct mark set {mark}",
                "ct mark set meta mark",
                "meta mark set ct mark",
                "meta mark set ct mark and 0x3",
            ]
            pool += ["ip ttl set 9", "ip dscp set 46"] if self.family != "ip6" else []
            pool += ["ip6 hoplimit set 9", "ip6 dscp set 46"] if self.family != "ip" else []
        return [self.chance.choice(pool)]

    def _nat(self) -> list[str]:
        source = self.hook in ("input", "postrouting")
        six = self.family == "ip6" or (self.family == "inet" and self.chance.random() < 0.5)
        pool = V6 if six else V4
        word = "snat" if source else "dnat"
        if self.family == "inet":
            word += " ip6" if six else " ip"
        address = self.chance.choice(pool)
        with_port = f"[{address}]" if six else address
        ported = f"meta l4proto {{ tcp, udp }}  {word} to {with_port}:{self.chance.choice(PORTS)}"
        key = "ip6 saddr" if six else "ip saddr"
        pairs = ", ".join(f"{k} : {self.chance.choice(pool)}" for k in self.chance.sample(pool, 3))
        kinds = [
            f"{word} to {address}",
            f"{word} to {address}",
            f"{word} to {key} map {{ {pairs} }}",
        ]
        if not source:
            kinds += [
                ported,
                "redirect",
                f"meta l4proto {{ tcp, udp }}  redirect to :{self.chance.choice(PORTS)}",
                f"tcp dport 53-1000  {word} to {with_port}:{PORTS[0]}-{PORTS[1]}",
            ]
        elif self.hook == "postrouting":
            kinds += ["masquerade"] * 3
        if not six:
            kinds.append(f"{word} to {V4[0]}-{V4[2] if source else V4[1]}")
        return self.chance.choice(kinds).split("  ")
