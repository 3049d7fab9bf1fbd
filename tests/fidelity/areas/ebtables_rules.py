"""Random tables of ebtables (legacy), as its restore command reads them."""

from collections.abc import Sequence
from random import Random

from hopback.frames.mac import format_mac
from tests.fidelity.areas.netfilter_frames import GROUP_MACS, MACS, MARKS, PORTS, V4, V6
from tests.kernel.netfilter_rig import EBTABLES

_HEARD = frozenset(("INPUT", "FORWARD", "PREROUTING"))
_SENT = frozenset(("FORWARD", "OUTPUT", "POSTROUTING"))
_USERS = ("u0", "u1")


class Table:
    """Makes one table."""

    def __init__(self, chance: Random, name: str, ports: int) -> None:
        self.chance = chance
        self.name = name
        self.ports = ports
        self.chain = ""

    def lines(self) -> tuple[str, ...]:
        """The table as ebtables-legacy-restore reads it: policies, then rules."""
        users = _USERS[: self.chance.randint(0, 2)]
        own = EBTABLES[self.name]
        lines = [f"*{self.name}"]
        for chain in own:
            lines.append(f":{chain} {'DROP' if self.chance.random() < 0.08 else 'ACCEPT'}")
        for user in users:
            lines.append(f":{user} {self.chance.choice(('RETURN', 'ACCEPT', 'DROP'))}")
        for number, user in enumerate(users):
            lines += self._rules(user, users[number + 1 :], self.chance.randint(0, 3))
        for chain in self.chance.sample(own, self.chance.randint(1, 3)):
            lines += self._rules(chain, users, self.chance.randint(1, 4))
        return tuple(lines)

    def _rules(self, chain: str, users: Sequence[str], count: int) -> list[str]:
        self.chain = chain
        return [self._rule(users) for _ in range(count)]

    def _rule(self, users: Sequence[str]) -> str:
        words = [f"-A {self.chain}", *self._protocol()]
        drawn = self.chance.sample(self._matches(), self.chance.choice((0, 1, 1, 2)))
        once = {match.split()[0]: match for match in drawn}
        return " ".join([*words, *once.values(), self._target(users)])

    def _not(self) -> str:
        return "! " if self.chance.random() < 0.25 else ""

    def _protocol(self) -> list[str]:
        no = self._not
        v4, v6, port = self.chance.choice(V4), self.chance.choice(V6), self.chance.choice(PORTS)
        mac = format_mac(self.chance.choice(MACS))
        kinds: tuple[list[str], ...] = (
            [],
            ["-p ARP", f"--arp-op {no()}{self.chance.choice(('Request', 'Reply'))}"],
            ["-p ARP", f"--arp-ip-src {no()}{v4}"],
            ["-p ARP", f"--arp-mac-src {no()}{mac}", f"--arp-ip-dst {no()}{v4}"],
            ["-p IPv4", f"--ip-src {no()}{v4}"],
            ["-p IPv4", f"--ip-dst {no()}10.{self.chance.randrange(3)}.0.0/24"],
            ["-p IPv4", f"--ip-proto {no()}{self.chance.choice(('tcp', 'udp', 'icmp'))}"],
            ["-p IPv4", "--ip-proto udp", f"--ip-dport {no()}{port}"],
            ["-p IPv4", "--ip-proto tcp", f"--ip-sport {no()}{PORTS[0]}:{port}"],
            ["-p IPv6", f"--ip6-src {no()}{v6}"],
            ["-p IPv6", f"--ip6-dst {no()}fd00::/64"],
            ["-p IPv6", "--ip6-proto udp", f"--ip6-dport {no()}{port}"],
            ["-p IPv6", "--ip6-proto ipv6-icmp", f"--ip6-icmp-type {no()}echo-request"],
            ["-p 802_1Q", f"--vlan-id {no()}5"],
            ["-p 802_1Q", f"--vlan-prio {no()}3", f"--vlan-encap {no()}{self._encapsulated()}"],
            [f"-p {no()}{self.chance.choice(('IPv4', 'IPv6', 'ARP', '802_1Q', 'LENGTH'))}"],
        )
        return list(self.chance.choice(kinds))

    def _encapsulated(self) -> str:
        return self.chance.choice(("0800", "86DD", "0806"))

    def _matches(self) -> list[str]:
        mac, group = (format_mac(self.chance.choice(macs)) for macs in (MACS, GROUP_MACS))
        port = f"lp{self.chance.randrange(self.ports)}"
        target = self.chance.choice((mac, group, "Multicast", "Broadcast", "Unicast"))
        found = [
            f"-s {self._not()}{mac}",
            f"-d {self._not()}{target}",
            f"--mark {self._not()}{self.chance.choice(MARKS)}/0x3",
            f"--pkttype-type {self._not()}{self.chance.choice(('host', 'otherhost', 'multicast'))}",
        ]
        if self.chain in _HEARD:
            found += [f"-i {self._not()}{port}", f"-i {self._not()}lp+", "--logical-in lbr0"]
        if self.chain in _SENT:
            found += [f"-o {self._not()}{port}", "--logical-out lbr0"]
        return found

    def _target(self, users: Sequence[str]) -> str:
        words = ["-j ACCEPT", "-j DROP", "-j CONTINUE", *(f"-j {user}" for user in users)]
        if self.chain.startswith("u"):
            words.append("-j RETURN")
        mark, mac = self.chance.choice(MARKS), format_mac(self.chance.choice(MACS))
        ends = self.chance.choice(("ACCEPT", "CONTINUE", "DROP"))
        words += [
            f"-j mark --mark-set {mark} --mark-target {ends}",
            f"-j mark --mark-or {mark} --mark-target CONTINUE",
        ]
        if self.name == "nat" and self.chain == "POSTROUTING":
            words += [f"-j snat --to-source {mac} --snat-target {ends}"] * 2
        return self.chance.choice(words)
