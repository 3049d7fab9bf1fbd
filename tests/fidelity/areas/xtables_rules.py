"""Random tables of iptables and ip6tables, as their restore commands read them."""

from collections.abc import Callable, Sequence
from random import Random

from hopback.frames.mac import format_mac
from tests.fidelity.areas.netfilter_frames import MACS, MARKS, PORTS, V4, V6
from tests.kernel.netfilter_rig import XTABLES
from tests.kernel.router_rig import BRIDGE, ROUTED
from tests.kernel.router_rig import PORTS as BRIDGE_PORTS

_DEVICES = (BRIDGE, *ROUTED)
_RULES_MAX = 6
_HEARD = frozenset(("PREROUTING", "INPUT", "FORWARD"))
_SENT = frozenset(("FORWARD", "POSTROUTING"))


class Table:
    """Makes the rules of one table; ``six`` for ip6tables."""

    def __init__(self, chance: Random, name: str, *, six: bool) -> None:
        self.chance = chance
        self.name = name
        self.six = six
        self.pool: Sequence[str] = V6 if six else V4
        self.chain = ""
        self.chains = [chain for chain in XTABLES[name] if chain != "OUTPUT"]

    def lines(self) -> tuple[str, ...]:
        """The table without its COMMIT: policies, chains of its own, rules."""
        users = [f"u{number}" for number in range(self.chance.randint(0, 2))]
        lines = [f"*{self.name}"]
        for chain in self.chains:
            drops = self.name != "nat" and self.chance.random() < 0.08
            lines.append(f":{chain} {'DROP' if drops else 'ACCEPT'}")
        lines += [f":{user} -" for user in users]
        for chain in self.chance.sample(self.chains, self.chance.randint(1, len(self.chains))):
            self.chain = chain
            lines += [self._rule(users) for _ in range(self.chance.randint(1, _RULES_MAX))]
        for number, user in enumerate(users):
            self.chain = user
            lines += [self._rule(users[number + 1 :]) for _ in range(self.chance.randint(0, 4))]
        return tuple(lines)

    def _rule(self, users: Sequence[str]) -> str:
        target = self._target(users)
        protocol = self.chance.choice(("tcp", "udp", "icmp", ""))
        ported = ":" in target and not self.six
        if "--to-ports" in target or "]:" in target or ported:
            protocol = self.chance.choice(("tcp", "udp"))
        words = self._protocol(protocol)
        count = self.chance.choice((0, 1, 1, 2))
        drawn = self.chance.sample([match() for match in self._matches()], count)
        once = {_option(match): match for match in drawn}
        return " ".join([f"-A {self.chain}", *words, *once.values(), target])

    def _not(self) -> str:
        return "! " if self.chance.random() < 0.25 else ""

    def _protocol(self, protocol: str) -> list[str]:
        no, port = self._not(), self.chance.choice(PORTS)
        icmp, type_ = ("icmpv6", "--icmpv6-type") if self.six else ("icmp", "--icmp-type")
        kinds = ("echo-request", "echo-reply", "destination-unreachable")
        if protocol in ("tcp", "udp"):
            ports = f"{PORTS[0]}:{self.chance.choice(PORTS[1:])}"
            more = [
                "",
                f"-m {protocol} {no}--dport {port}",
                f"-m {protocol} {no}--dport {ports}",
                f"-m multiport {no}--dports {','.join(self.chance.sample(PORTS, 3))}",
            ]
            if protocol == "tcp":
                more += [f"-m tcp {no}--syn", f"-m tcp {no}--tcp-flags SYN,ACK,RST SYN"]
            return [f"-p {protocol}", self.chance.choice(more)]
        if protocol == "icmp":
            more = ["", f"-m {icmp.replace('v6', '6')} {no}{type_} {self.chance.choice(kinds)}"]
            return [f"-p {icmp}", self.chance.choice(more)]
        return [f"! -p {self.chance.choice(('tcp', 'udp'))}"] if no else []

    def _matches(self) -> list[Callable[[], str]]:
        one, no = self.chance.choice(self.pool), self._not
        net = (
            f"fd0{self.chance.randrange(2)}::/64"
            if self.six
            else f"10.{self.chance.randrange(3)}.0.0/24"
        )
        low, high = sorted(self.chance.sample(range(len(self.pool)), 2))
        states = self.chance.sample(("NEW", "ESTABLISHED", "RELATED", "INVALID", "DNAT", "SNAT"), 2)
        found: list[Callable[[], str]] = [
            lambda: f"{no()}-s {one}",
            lambda: f"{no()}-d {one}",
            lambda: f"{no()}-s {net}",
            lambda: f"-m iprange {no()}--src-range {self.pool[low]}-{self.pool[high]}",
            lambda: f"-m mark {no()}--mark {self.chance.choice(MARKS)}/0x3",
            lambda: f"-m mark {no()}--mark {self.chance.choice(MARKS)}",
            lambda: f"-m length {no()}--length {self.chance.choice(('28:40', '32', '48:60'))}",
            lambda: f"-m pkttype {no()}--pkt-type unicast",
            lambda: "-m hl --hl-gt 63" if self.six else f"-m ttl {no()}--ttl-eq 64",
        ]
        if self.name != "raw":
            found += [
                lambda: f"-m conntrack {no()}--ctstate {','.join(states)}",
                lambda: f"-m conntrack {no()}--ctstate {states[0]}",
                lambda: f"-m conntrack --ctdir {self.chance.choice(('ORIGINAL', 'REPLY'))}",
                lambda: f"-m connmark {no()}--mark {self.chance.choice(MARKS)}/0x3",
                lambda: f"-m conntrack {no()}--ctorigdst {one}",
            ]
        if not self.six:
            found.append(lambda: f"-m addrtype {no()}--dst-type LOCAL")
        if self.chain in _HEARD:
            found += [
                lambda: f"{no()}-i {self.chance.choice((*_DEVICES, 'lr+'))}",
                lambda: f"-m mac {no()}--mac-source {format_mac(self.chance.choice(MACS))}",
                lambda: f"-m physdev {no()}--physdev-in {self.chance.choice(BRIDGE_PORTS)}",
            ]
        if self.chain in _SENT:
            found.append(lambda: f"{no()}-o {self.chance.choice(_DEVICES)}")
        if self.chain == "FORWARD":
            out, is_bridged = "-m physdev {}--physdev-out {}", "--physdev-is-bridged"
            port = self.chance.choice(BRIDGE_PORTS)
            found += [
                lambda: f"{out.format(no(), port)} {is_bridged}",
                lambda: f"-m physdev {no()}{is_bridged}",
            ]
        return found

    def _target(self, users: Sequence[str]) -> str:
        words = ["-j ACCEPT", "-j RETURN", "", *(f"-j {user}" for user in users)]
        words += [f"-g {user}" for user in users]
        mark = self.chance.choice(MARKS)
        if self.name == "nat":
            return self.chance.choice([*words[:2], *self._nat(), *self._nat()])
        words += ["-j DROP", "-j DROP"]
        if self.name == "raw" and self.chain == "PREROUTING":
            words.append("-j CT --notrack")
        if self.name == "mangle":
            words += [
                f"-j MARK --set-xmark {mark}/0x3",
                f"-j MARK --set-xmark {mark}/0xffffffff",
                f"-j MARK --or-mark {mark}",
                f"-j CONNMARK --set-xmark {mark}/0xffffffff",
                "-j CONNMARK --save-mark",
                "-j CONNMARK --restore-mark --nfmask 0x3 --ctmask 0x3",
                "-j HL --hl-set 9" if self.six else "-j TTL --ttl-set 9",
                "-j DSCP --set-dscp 0x08",
            ]
        if self.name == "filter" and self.chain in ("INPUT", "FORWARD"):
            words.append("-j REJECT")
        return self.chance.choice(words)

    def _nat(self) -> list[str]:
        one, port = self.chance.choice(self.pool), self.chance.choice(PORTS)
        ported = f"[{one}]:{port}" if self.six else f"{one}:{port}"
        if self.chain == "PREROUTING":
            return [
                f"-j DNAT --to-destination {one}",
                f"-j DNAT --to-destination {ported}",
                f"-j DNAT --to-destination {self.pool[0]}-{self.pool[1]}",
                "-j REDIRECT",
                f"-j REDIRECT --to-ports {port}",
            ]
        if self.chain in ("INPUT", "POSTROUTING"):
            masquerade = ["-j MASQUERADE"] * 2 if self.chain == "POSTROUTING" else []
            return [f"-j SNAT --to-source {one}", *masquerade]
        return ["-j ACCEPT"]


def _option(match: str) -> str:
    """What may stand in a rule once only: an option, or a match of that name."""
    first, second = match.removeprefix("! ").split()[:2]
    return second if first == "-m" else first
