"""A guest behind a hairpin port, whose duplicate detection failed, and what is offered for it."""

from collections.abc import Sequence

from msgspec.structs import replace

from hopback.checks.diagnose import diagnose
from hopback.findings import Fix, Report
from hopback.remedies.attach import with_remedies
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit, patch
from hopback.snapshot.rows import FilterChain, FilterRule, Nat, Step
from hopback.snapshot.table import Cite, Extent, Rows
from tests.build import (
    BRIDGE,
    GUEST0,
    GUEST1,
    LINKS,
    TUN,
    VETH,
    dmesg,
    domiflist,
    link,
    links,
    listing,
    pasted,
)

TAP = link(4, "vnet0", "fe:54:00:00:00:01", TUN, master="br0", port="hairpin on")
GUESTS = domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST1}")
FAILED = f"IPv6: ens3: IPv6 duplicate address fe80::5054:ff:fe00:1 used by {GUEST0} detected!"
HOST = links(*LINKS[:2], TAP, LINKS[3]) + GUESTS + dmesg(FAILED, host="web1")
OFF = listing(
    "sysctl -a", [f"net.bridge.bridge-nf-call-{t} = 0" for t in ("iptables", "ip6tables")]
)
FLOWS = ("neighbour discovery and ARP both ways", "detection of true duplicates", "DHCP both ways")
GUEST_IP = "192.0.2.7"
NEIGHBOUR = listing("ip neigh show", [f"{GUEST_IP} dev br0 lladdr {GUEST0} REACHABLE"])


def treated(snapshots: Sequence[Snapshot]) -> Report:
    return with_remedies(snapshots, diagnose(snapshots))


def fixes_of(report: Report) -> dict[str, Fix]:
    return {fix.name: fix for finding in report.findings for fix in finding.fixes}


def fixes(text: str, *edits: Edit) -> dict[str, Fix]:
    """The fixes for a paste, its first host changed."""
    first, *others = pasted(text)
    return fixes_of(treated([patch(first, edits), *others]))


def dnat(to: str | None = GUEST_IP, *, step: Step | None = None) -> list[Edit]:
    """A rule that gives packets the address ``to``; the table was listed whole."""
    cite = Cite(0, 1)
    steps = (step,) if step else () if to is None else (Nat("dnat", _number(to)),)
    chain = FilterChain(
        cite=cite, family="ip", table="nat", name="PREROUTING", kind="nat", hook="prerouting"
    )
    rule = FilterRule(
        cite=cite,
        family="ip",
        table="nat",
        chain="PREROUTING",
        place=1,
        steps=steps,
        text="dnat it",
    )
    return [Add(chain), *([Add(rule)] if steps else [])]


def _number(address: str) -> int:
    return int.from_bytes(bytes(map(int, address.split("."))), "big")


def listed(snapshot: Snapshot) -> Snapshot:
    """The filters of the host are all there."""
    return replace(snapshot, filter_chains=Rows(snapshot.filter_chains.rows, (Extent(0),)))


def natted(
    to: str | None = GUEST_IP, *, step: Step | None = None, text: str = HOST
) -> dict[str, Fix]:
    first, *others = pasted(text + NEIGHBOUR)
    return fixes_of(treated([listed(patch(first, dnat(to, step=step))), *others]))


def vepa(*modes: str) -> str:
    """A namespace with macvlans of these modes behind the hairpin port; its own device failed."""
    text = links(
        LINKS[0],
        link(3, "br0", "02:00:00:00:0a:01", BRIDGE),
        link(4, "lxc1@if2", "02:00:00:00:0a:02", VETH, master="br0", port="hairpin on").replace(
            " promiscuity", " link-netns pod1 promiscuity"
        ),
    )
    inside = [
        link(2, "eth0@if4", "02:00:00:00:00:01", VETH).replace(
            " promiscuity", " link-netnsid 0 promiscuity"
        )
    ]
    inside += [
        link(10 + n, f"mv{n}@eth0", f"02:00:00:00:01:0{n}", f"macvlan mode {mode}")
        for n, mode in enumerate(modes)
    ]
    text += links(*inside, netns="pod1")
    return text + listing(
        "ip -n pod1 addr show",
        [
            "2: eth0@if4: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
            "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff link-netnsid 0",
            "    inet6 2001:db8::11/64 scope global dadfailed tentative ",
        ],
    )


FLOATING, FIXED = "203.0.113.10", "10.0.0.3"
NAT = (
    "*nat",
    ":PREROUTING ACCEPT [0:0]",
    ":POSTROUTING ACCEPT [0:0]",
    f"-A PREROUTING -d {FLOATING}/32 -j DNAT --to-destination {FIXED}",
    f"-A POSTROUTING -s {FIXED}/32 -d {FIXED}/32 -j SNAT --to-source {FLOATING}",
    "COMMIT",
)


def floating(call: int = 1, nat: Sequence[str] = NAT) -> str:
    """A guest with a floating address; ``call`` is br_netfilter's setting for IPv4."""
    text = HOST + listing(
        "ip addr show",
        [
            "3: br0: <UP> mtu 1500 state UP",
            "    inet 10.0.0.1/24 scope global br0",
            "9: lo: <UP> mtu 65536 state UNKNOWN",
            f"    inet {FLOATING}/32 scope global lo",
        ],
    )
    text += listing("ip route show", ["10.0.0.0/24 dev br0 proto kernel scope link"])
    text += listing("ip neigh show", [f"{FIXED} dev br0 lladdr {GUEST0} REACHABLE"])
    text += listing(
        "sysctl net",
        [
            "net.ipv4.ip_forward = 1",
            f"net.bridge.bridge-nf-call-iptables = {call}",
            "net.bridge.bridge-nf-call-ip6tables = 0",
        ],
    )
    return text + listing("iptables-save", nat)
