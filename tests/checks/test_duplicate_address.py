"""duplicate-address: two real stations with one IP address, and what only looks like it."""

import pytest

from hopback.findings import Finding, Report
from tests.build import BRIDGE, VETH, checks, dmesg, link, links, listing, of, only, report

NAME = "duplicate-address"
M1, M2, M3, GW = (f"52:54:00:00:00:{n}" for n in ("01", "02", "03", "fe"))


def host(name: str, mac: str, *addresses: str, dev: str = "eth0", command: str = "ip addr") -> str:
    lines = [
        f"2: {dev}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
        f"    link/ether {mac} brd ff:ff:ff:ff:ff:ff",
        *(f"    inet{'6' if ':' in a else ''} {a} scope global" for a in addresses),
    ]
    return listing(command, lines, name)


def neigh(name: str, *entries: str) -> str:
    return listing("ip neigh", [f"{e} REACHABLE" for e in entries], name)


def told(text: str) -> Finding:
    return only(report(text), NAME)


def test_two_hosts_list_it() -> None:
    given = report(host("a", M1, "192.0.2.5/24") + host("b", M2, "192.0.2.5/24"))
    finding = only(given, NAME)
    assert (finding.subject, finding.confidence) == ("192.0.2.5", "likely")
    assert finding.details["macs"] == [M1, M2]
    assert given.verdict == "clear"


@pytest.mark.parametrize(
    ("address", "dev"),
    [
        ("192.0.2.5/32", "eth0"),
        ("127.0.0.5/8", "eth0"),
        ("fe80::5/64", "eth0"),
        ("169.254.1.5/16", "eth0"),
        ("10.0.2.15/24", "eth0"),
        ("172.17.0.1/16", "docker0"),
        ("192.168.122.1/24", "virbr0"),
    ],
    ids=["one alone", "loopback", "link-local", "IPv4 link-local", "NAT", "docker", "libvirt"],
)
def test_what_every_host_may_have_for_itself(address: str, dev: str) -> None:
    both = host("a", M1, address, dev=dev) + host("b", M2, address, dev=dev)
    assert NAME not in checks(report(both))


def test_addresses_on_bridges_of_each_host_are_its_own() -> None:
    text = "".join(
        listing("ip -d link show", [link(3, "lan", mac, BRIDGE)], name)
        + host(name, mac, "192.0.2.5/24", dev="lan")
        for name, mac in (("a", M1), ("b", M2))
    )
    assert NAME not in checks(report(text))


def test_one_host_shown_twice_is_one() -> None:
    assert NAME not in checks(report(host("a", M1, "192.0.2.5/24") * 2))


def pods(*where: tuple[str, str, str]) -> str:
    """Namespaces whose eth0 is joined to a bridge: name, bridge, address."""
    text = ""
    for n, (name, bridge, address) in enumerate(where, 1):
        port = link(10 + n, f"v{n}@if2", f"02:00:00:00:0a:0{n}", VETH, master=bridge, port="")
        inside = link(2, f"eth0@if{10 + n}", f"02:00:00:00:00:0{n}", VETH)
        text += links(
            link(n, bridge, f"02:00:00:00:0b:0{n}", BRIDGE),
            port.replace(" promiscuity", f" link-netns {name} promiscuity"),
        )
        text += links(inside.replace(" promiscuity", " link-netnsid 0 promiscuity"), netns=name)
        text += host("kvm1", f"02:00:00:00:00:0{n}", address, command=f"ip -n {name} addr show")
    return text


def test_two_namespaces_on_bridges() -> None:
    text = pods(("red", "br0", "10.1.0.5/24"), ("blue", "br0", "10.1.0.5/24"))
    assert told(text).subject == "10.1.0.5"


def test_namespaces_that_nothing_joins_have_addresses_of_their_own() -> None:
    text = "".join(
        host("a", mac, "192.0.2.5/24", command=f"ip -n {name} addr show")
        for name, mac in (("red", M1), ("blue", M2))
    )
    assert NAME not in checks(report(text))


REFUSED = "IPv6: eth0: IPv6 duplicate address 2001:db8::5 used by {} detected!"


def test_duplicate_detection_names_another_mac() -> None:
    given = report(host("a", M1) + dmesg(REFUSED.format(M2), host="a"))
    finding = only(given, NAME)
    assert finding.details["macs"] == [M1, M2]
    assert finding.alternatives
    assert "dad-reflection" not in checks(given)
    assert given.verdict == "clear"


def test_the_other_lists_it_too() -> None:
    both = host("a", M1, "2001:db8::5/64") + host("b", M2, "2001:db8::5/64")
    finding = told(both + dmesg(REFUSED.format(M2), host="a"))
    assert (finding.confidence, finding.alternatives) == ("certain", ())
    assert finding.details["holders"] == [f"eth0 of a ({M1})", f"eth0 of b ({M2})"]


def test_duplicate_detection_names_a_mac_of_whom_nothing_tells() -> None:
    """Its own or another's: without its own MAC the message does not say."""
    given = report(dmesg(REFUSED.format(M2), host="a"))
    assert checks(given) == {"dad-reflection"}
    assert given.verdict == "undecided"


@pytest.mark.parametrize(
    "message",
    [
        f"NetworkManager[7]: <warn>  [1.0] device (eth0): IP address 192.0.2.5 cannot be configured"
        f" because it is already in use in the network by host {M2.upper()}",
        f"dhcpcd[7]: eth0: hardware address {M2} claims 192.0.2.5",
    ],
)
def test_programs_that_configure_addresses_name_it_too(message: str) -> None:
    assert told(host("a", M1) + dmesg(message, host="a")).subject == "192.0.2.5"


def agreeing(second: str, gateway: str = GW) -> str:
    one = neigh("a", f"192.0.2.5 dev eth0 lladdr {M1}", f"192.0.2.1 dev eth0 lladdr {GW}")
    return one + neigh(
        "b", f"192.0.2.5 dev eth0 lladdr {second}", f"192.0.2.1 dev eth0 lladdr {gateway}"
    )


def test_neighbour_tables_of_two_hosts_on_one_segment() -> None:
    assert told(agreeing(M2)).details["macs"] == [M1, M2]


@pytest.mark.parametrize(
    "text",
    [
        agreeing(M1),
        agreeing(M2, gateway=M3),
        agreeing("00:00:5e:00:01:07"),
        agreeing(M1) + neigh("a", f"192.0.2.5 dev eth0 lladdr {M2}"),
        neigh("a", f"192.0.2.5 dev eth0 lladdr {M1}")
        + neigh("a", f"192.0.2.5 dev eth0 lladdr {M2}"),
    ],
    ids=["one MAC", "another segment", "a virtual router", "changed", "one host, at two times"],
)
def test_two_macs_in_tables_need_one_segment_and_two_real_stations(text: str) -> None:
    assert NAME not in checks(report(text))


def test_the_kernel_hears_somebody_advertise_its_own_address() -> None:
    said = f"ICMPv6: NA: {M2} advertised our address 2001:db8::5 on eth0!"
    held = host("a", M1, "2001:db8::5/64")
    assert told(held + dmesg(said, host="a")).details["macs"] == [M1, M2]
    assert NAME not in checks(report(held + dmesg(said.replace(M2, M1), host="a")))


def test_a_bridge_with_a_way_out_is_no_network_of_its_own() -> None:
    text = "".join(
        links(
            link(2, "eth0", mac, master="vmbr0", port=""), link(3, "vmbr0", mac, BRIDGE), host=name
        )
        + host(name, mac, "192.0.2.5/24", dev="vmbr0")
        for name, mac in (("a", M1), ("b", M2))
    )
    assert told(text).subject == "192.0.2.5"


def arping(*answers: tuple[str, str]) -> Report:
    lines = ["ARPING 192.0.2.5 from 192.0.2.7 eth0"]
    lines += [f"Unicast reply from {a} [{m.upper()}]  0.5ms" for a, m in answers]
    return report(listing("arping -I eth0 192.0.2.5", lines, "a"))


def test_two_answers_to_one_question() -> None:
    finding = only(arping(("192.0.2.5", M1), ("192.0.2.5", M2)), NAME)
    assert finding.details["macs"] == [M1, M2]
    assert not of(arping(("192.0.2.5", M1), ("192.0.2.5", M1)), NAME)


def test_who_answers_for_others_too_is_a_proxy() -> None:
    given = arping(("192.0.2.5", M1), ("192.0.2.5", M2), ("192.0.2.6", M2))
    assert not of(given, NAME)


def sandboxes(second: str = "Ready") -> str:
    return listing(
        "crictl pods",
        [
            "POD ID              CREATED             STATE               NAME",
            "5aa5d66d2ccdb       20 hours ago        Ready               db-0   default   0",
            f"14c1004655303       3 days ago          {second}            db-0   default   0",
        ],
        "node",
    )


FIXED = host("db-0", "06:6e:a0:41:16:4b", "fd00::2/64", "fe80::46e:a0ff:fe41:164b/64").replace(
    "fd00::2/64 scope global", "fd00::2/64 scope global dadfailed tentative"
)


def test_an_old_sandbox_keeps_the_pod_s_fixed_address() -> None:
    given = report(FIXED + sandboxes())
    assert only(given, NAME).subject == "fd00::2"
    assert given.verdict == "clear"


@pytest.mark.parametrize(
    "text",
    [
        FIXED + sandboxes("NotReady"),
        FIXED.replace(
            "fe80::46e:a0ff:fe41:164b/64 scope global",
            "fe80::46e:a0ff:fe41:164b/64 scope link dadfailed",
        )
        + sandboxes(),
    ],
    ids=["the old one is gone", "its other address failed too"],
)
def test_else_it_stays_open(text: str) -> None:
    given = report(text)
    assert NAME not in checks(given)
    assert given.verdict == "undecided"
