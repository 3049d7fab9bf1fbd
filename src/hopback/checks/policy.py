"""One table for what all checks share: their group, and what they say in one line."""

from types import MappingProxyType

from msgspec import Struct

from hopback.findings import Group


class Policy(Struct, frozen=True):
    """What is true of every finding of a check; ``says`` heads its documentation."""

    group: Group
    says: str


POLICY: MappingProxyType[str, Policy] = MappingProxyType(
    {
        "fdb-misplaced": Policy(
            "symptom",
            "a bridge's table has a known station's MAC on a port that is not the station's own",
        ),
        "mac-move": Policy("symptom", "one MAC is learned on two ports in turn"),
        "own-source": Policy(
            "symptom", "the kernel received frames with its own address as source"
        ),
        "duplicate-mac": Policy("other-fault", "two real stations (or interfaces) use one MAC"),
        "duplicate-address": Policy("other-fault", "two real stations use one IP address"),
        "dad-proxied": Policy(
            "other-fault",
            "a neighbour proxy (proxy_ndp, proxy ARP, router) answered the probe; nothing returned",
        ),
        "weak-host-arp": Policy(
            "other-fault", "a host answers ARP for an address on another interface"
        ),
        "shared-identity": Policy(
            "other-fault", "machine-id, DUID, client-id or connection key cloned"
        ),
        "dhcp-checksum": Policy("other-fault", "DHCP replies dropped for an unfilled UDP checksum"),
        "wiring-broken": Policy(
            "other-fault",
            "a guest's tap is not enslaved, a port is down, the uplink is missing from the bridge",
        ),
        "lag-mismatch": Policy(
            "other-fault",
            "LACP partner missing or different, aggregators split, a leg unused",
        ),
        "stp-delay": Policy(
            "other-fault", "a port was still listening or learning when it was needed"
        ),
        "port-flag-drop": Policy(
            "other-fault",
            "isolated, locked, flood/learning flags or neighbour suppression keep the frame from"
            " its port",
        ),
        "snooping-drop": Policy(
            "other-fault",
            "multicast snooping with a querier keeps it from a member that never reported",
        ),
        "vlan-missing": Policy(
            "other-fault",
            "VLAN not allowed, mismatched or asymmetric on the path, or taken by a VLAN device",
        ),
        "mtu-drop": Policy("other-fault", "dropped for size without an ICMP"),
        "hairpin-missing": Policy(
            "other-fault",
            "a station cannot reach itself, or its own side, through a translated address",
        ),
        "forward-drop": Policy(
            "other-fault",
            "bridged or routed frames dropped by a FORWARD policy or rule, bridge-nf included",
        ),
        "rp-filter-drop": Policy(
            "other-fault", "dropped by the reverse-path filter, or as a martian"
        ),
        "anti-spoof-drop": Policy(
            "other-fault",
            "dropped by an anti-spoofing filter (nwfilter, security group, port security)",
        ),
        "ipvs-arp-leak": Policy(
            "other-fault", "a real server answers ARP/ND for the VIP, or cannot accept it"
        ),
        "ipvs-misrouted": Policy(
            "other-fault",
            "IPVS sends where no proper answer can come from: the summary says why",
        ),
        "ipvs-split-brain": Policy("other-fault", "two directors are master at once"),
        "blind-path": Policy(
            "other-fault",
            "the path goes through something that hopback cannot evaluate",
        ),
        "hairpin-reflection": Policy(
            "comes-back",
            "a bridge port with hairpin on returns a station's own group or unknown frames",
        ),
        "dad-reflection": Policy(
            "comes-back",
            "duplicate detection (IPv6 DAD, IPv4 ACD) failed because the station heard its own"
            " NS/NA/ARP probe",
        ),
        "bridge-loop": Policy("comes-back", "a cycle of forwarding ports, STP not cutting it"),
        "bond-reflection": Policy(
            "comes-back", "a static bond whose legs are not one LAG returns its own frames"
        ),
        "uplink-echo": Policy("comes-back", "frames that left by an uplink come in again on it"),
        "tunnel-reflection": Policy(
            "comes-back",
            "a tunnel's flood list or FDB names its own endpoint, so what is flooded returns",
        ),
        "tunnel-recursion": Policy(
            "comes-back",
            "a tunnel's outer packet is routed into the tunnel: Linux drops it, or it circulates",
        ),
        "ipvs-loop": Policy("comes-back", "IPVS directors forward the same packet to each other"),
        "routing-loop": Policy("comes-back", "IP hops return to a router already passed"),
        "double-delivery": Policy(
            "other-fault", "a packet arrives twice by two paths and does not return"
        ),
        "expected-duplicate": Policy(
            "benign", "a copy or a message that looks like a return and is one by design"
        ),
        "other": Policy("other-fault", "a fault of a kind that has no check of its own"),
        "healthy": Policy("benign", "nothing wrong in what was given"),
    }
)
