"""Incidents as text: pastes read by the real sources, and the questions tests ask of them."""

import io
from collections.abc import Sequence
from textwrap import dedent

from hopback.checks.case import Case
from hopback.checks.diagnose import diagnose
from hopback.datapath.model import Model, model_of
from hopback.findings import Finding, Report
from hopback.network.build import build
from hopback.network.facts import DevId
from hopback.network.model import BridgeView, Network
from hopback.snapshot.model import Snapshot
from hopback.sources.paste import read_paste


def pasted(text: str) -> tuple[Snapshot, ...]:
    """The hosts of a paste; indentation that all lines share is taken off."""
    return read_paste(io.BytesIO(dedent(text).encode()), "paste.txt")


def network(text: str) -> Network:
    return build(pasted(text))


def bridge(text: str, name: str = "br0", host: str = "kvm1", netns: str = "") -> BridgeView:
    return network(text).bridges[DevId(host, netns, name)]


def model(text: str) -> Model:
    return model_of(network(text))


def case(text: str) -> Case:
    return Case(network(text))


def report(text: str) -> Report:
    return diagnose(pasted(text))


def of(given: Report, check: str) -> list[Finding]:
    return [f for f in given.findings if f.check == check]


def only(given: Report, check: str) -> Finding:
    """The one finding of that check."""
    (finding,) = of(given, check)
    return finding


def checks(given: Report) -> set[str]:
    return {f.check for f in given.findings}


def cited(finding: Finding) -> list[str]:
    """The lines a finding rests on, blanks squeezed."""
    return [" ".join(e.text.split()) for e in finding.because]


def dev(name: str, host: str = "kvm1", netns: str = "") -> DevId:
    return DevId(host, netns, name)


def link(
    index: int,
    name: str,
    mac: str,
    kind: str = "",
    *,
    master: str = "",
    flags: str = "BROADCAST,MULTICAST,UP,LOWER_UP",
    port: str | None = None,
    extra: str = "",
) -> str:
    """A device as ``ip -d link`` prints it; ``port`` holds the changed flags of a bridge port."""
    enslaved = f" master {master}" if master else ""
    lines = [f"{index}: {name}: <{flags}> mtu 1500 qdisc noqueue{enslaved} state UP mode DEFAULT"]
    lines.append(f"    link/ether {mac} brd ff:ff:ff:ff:ff:ff{extra} promiscuity 0")
    if kind:
        lines.append(f"    {kind}")
    if port is not None:
        lines.append(f"    bridge_slave {_port_flags(port)}")
    return "\n".join(lines) + "\n"


def _port_flags(changed: str) -> str:
    words = changed.split()
    told = dict(zip(words[::2], words[1::2], strict=True))
    usual = {
        "state": "forwarding",
        "hairpin": "off",
        "learning": "on",
        "flood": "on",
        "mcast_flood": "on",
        "neigh_suppress": "off",
        "isolated": "off",
    }
    return " ".join(f"{name} {value}" for name, value in {**usual, **told}.items())


def listing(command: str, lines: Sequence[str], host: str = "kvm1") -> str:
    """A command at a prompt, and what it printed."""
    return f"{host}# {command}\n" + "".join(
        line if line.endswith("\n") else f"{line}\n" for line in lines
    )


BRIDGE = "bridge forward_delay 1500 hello_time 200 max_age 2000 ageing_time 30000 stp_state 0"
TUN = "tun type tap pi off vnet_hdr on persist off"
VETH = "veth"

LINKS = (
    link(2, "eth0", "0c:c4:7a:00:00:01", master="br0", port=""),
    link(3, "br0", "0c:c4:7a:00:00:01", BRIDGE),
    link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port=""),
    link(5, "vnet1", "fe:54:00:00:00:02", TUN, master="br0", port=""),
)


def links(*lines: str, host: str = "kvm1", netns: str = "") -> str:
    inside = f"ip netns exec {netns} " if netns else ""
    return listing(f"{inside}ip -d link show", lines, host)


HYPERVISOR = links(*LINKS)
"""kvm1: br0 joins eth0, the way out, and the taps of two guests, vnet0 and vnet1."""

GUEST0, GUEST1 = "52:54:00:00:00:01", "52:54:00:00:00:02"
TWIN0, TWIN1 = "fe:54:00:00:00:01", "fe:54:00:00:00:02"


def fdb(*lines: str, host: str = "kvm1") -> str:
    return listing("bridge -s fdb show br br0", lines, host)


def showmacs(*rows: str) -> str:
    """Rows such as ``1 52:54:00:00:00:01 no 1.35``."""
    head = "port no\tmac addr\t\tis local?\tageing timer"
    spelled = ("  {}\t{}\t{}\t\t   {}".format(*row.split()) for row in rows)
    return listing("brctl showmacs br0", [head, *spelled])


def brctl_show(*ports: str, bridge: str = "br0") -> str:
    head = "bridge name\tbridge id\t\tSTP enabled\tinterfaces"
    first = f"{bridge}\t\t8000.0cc47a000001\tno\t\t{ports[0]}"
    return listing("brctl show", [head, first, *("\t" * 7 + port for port in ports[1:])])


def domiflist(*rows: str, guest: str = "web1") -> str:
    """Rows such as ``vnet0 br0 52:54:00:00:00:01``: tap, bridge, address."""
    head = " Interface   Type     Source   Model    MAC"
    spelled = (" {}   bridge   {}   virtio   {}".format(*row.split()) for row in rows)
    return listing(f"virsh domiflist {guest}", [head, "-" * 60, *spelled])


def monitor(*lines: str) -> str:
    return listing("bridge monitor fdb", lines)


def dmesg(*lines: str, host: str = "kvm1") -> str:
    stamped = (f"[{100 + i}.000000] {line}" for i, line in enumerate(lines))
    return listing("dmesg", tuple(stamped), host)


def own_address(port: str, mac: str, bridge: str = "br0") -> str:
    """The kernel's message, without its stamp."""
    return (
        f"{bridge}: received packet on {port} with own address as source address"
        f" (addr:{mac}, vlan:0)"
    )


RING = (
    link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
    link(4, "br1", "02:00:00:00:0b:01", BRIDGE),
    link(5, "a0@b0", "02:00:00:00:0a:01", VETH, master="br0", port=""),
    link(6, "b0@a0", "02:00:00:00:0b:01", VETH, master="br1", port=""),
    link(7, "a1@b1", "02:00:00:00:0a:02", VETH, master="br0", port=""),
    link(8, "b1@a1", "02:00:00:00:0b:02", VETH, master="br1", port=""),
)
"""Two bridges joined by two veth pairs, and nobody to cut the ring."""
