"""dad-reflection: the station failed duplicate detection on its own probe; its look-alikes."""

import pytest

from hopback.findings import Finding
from tests.build import (
    BRIDGE,
    GUEST0,
    GUEST1,
    HYPERVISOR,
    LINKS,
    TUN,
    TWIN0,
    VETH,
    checks,
    cited,
    dmesg,
    domiflist,
    fdb,
    link,
    links,
    listing,
    of,
    only,
    own_address,
    report,
)

NAME = "dad-reflection"
TAP = link(4, "vnet0", TWIN0, TUN, master="br0", port="hairpin on")
ON = links(*LINKS[:2], TAP) + domiflist(f"vnet0 br0 {GUEST0}")
OFF = ON.replace("hairpin on", "hairpin off")
OLD = "eth0: IPv6 duplicate address fe80::5054:ff:fe00:1 detected!"
OWN = f"IPv6: eth0: IPv6 duplicate address fe80::5054:ff:fe00:1 used by {GUEST0} detected!"
FOREIGN = OWN.replace(GUEST0, "52:54:00:00:00:99")


def dad(text: str) -> Finding:
    return only(report(text), NAME)


def uname(release: str) -> str:
    return listing("uname -r", [release], host="web1")


def enhanced(every: int, device: int) -> str:
    keys = (
        f"net.ipv6.conf.all.enhanced_dad = {every}",
        f"net.ipv6.conf.eth0.enhanced_dad = {device}",
    )
    return listing("sysctl -a", keys, host="web1")


@pytest.mark.parametrize("message", [OLD, OWN])
def test_a_hairpin_port_that_returns_the_probe_and_a_failure_are_certain(message: str) -> None:
    given = report(ON + dmesg(message, host="web1"))
    finding = only(given, NAME)
    assert (finding.confidence, finding.severity) == ("certain", "error")
    assert (finding.host, finding.subject) == ("web1", "eth0")
    assert finding.details["returned_by"] == "vnet0"
    assert finding.details["addresses"] == ["fe80::5054:ff:fe00:1"]
    assert given.verdict == "comes-back"
    assert given.sentence == only(given, "hairpin-reflection").summary


def test_another_mac_is_another_station() -> None:
    given = report(ON + dmesg(FOREIGN, host="web1"))
    assert not of(given, NAME)
    assert only(given, "duplicate-address").confidence == "likely"
    assert only(given, "hairpin-reflection").severity == "info"
    assert given.verdict == "undecided"


@pytest.mark.parametrize(
    ("known", "confidence"),
    [
        (uname("6.1.0-18-amd64"), "possible"),
        (enhanced(1, 0), "possible"),
        (enhanced(0, 0), "certain"),
        (uname("6.1.0-18-amd64") + enhanced(0, 0), "certain"),
        (uname("3.16.0-4-amd64"), "certain"),
        (listing("sysctl -a", ["net.ipv6.conf.all.enhanced_dad = 0"], "web1"), "certain"),
    ],
    ids=["4.10 or later", "on for all", "off", "later, and off", "before 4.10", "half told"],
)
def test_a_station_with_the_nonce_is_not_fooled_by_its_solicitation(
    known: str, confidence: str
) -> None:
    assert dad(ON + dmesg(OWN, host="web1") + known).confidence == confidence


def test_its_own_mac_alone_tells_no_reflection_from_a_clone() -> None:
    given = report(dmesg(OWN, host="web1"))
    finding = only(given, NAME)
    assert (finding.confidence, finding.severity) == ("possible", "warning")
    assert "another machine has the same MAC" in finding.alternatives
    assert given.verdict == "undecided"


def test_its_own_mac_where_the_others_on_the_bridge_have_other_ones() -> None:
    shown = (
        listing("virsh domiflist web1", _nic("vnet0", GUEST0))
        + listing("virsh domiflist web2", _nic("vnet1", GUEST1))
        + listing("brctl show", _bridge("eth0", "vnet0", "vnet1"))
    )
    assert dad(shown + dmesg(OWN, host="web1")).confidence == "likely"
    assert dad(shown + dmesg(OWN, host="web1") + enhanced(1, 1)).confidence == "possible"
    assert dad(shown + dmesg(OLD, host="web1")).confidence == "possible"


def test_the_file_of_its_own_port_is_the_first_thing_to_look_at() -> None:
    shown = listing("virsh domiflist web1", _nic("vnet0", GUEST0))
    shown += listing("brctl show", _bridge("eth0", "vnet0"))
    given = report(shown + dmesg(OLD, host="web1"))
    step = given.next[0]
    assert (step.host, step.command) == ("kvm1", "cat /sys/class/net/vnet0/brport/hairpin_mode")


def _nic(tap: str, mac: str) -> list[str]:
    head = " Interface   Type     Source   Model    MAC"
    return [head, "-" * 60, f" {tap}   bridge   br0   virtio   {mac}"]


def _bridge(*ports: str) -> list[str]:
    head = "bridge name\tbridge id\t\tSTP enabled\tinterfaces"
    first = f"br0\t\t8000.0cc47a000001\tno\t\t{ports[0]}"
    return [head, first, *("\t" * 7 + port for port in ports[1:])]


def test_a_port_that_does_not_return_leaves_it_open_and_says_what_decides() -> None:
    given = report(OFF + dmesg(OWN, host="web1"))
    finding = only(given, NAME)
    assert finding.confidence == "possible"
    commands = [step.command for step in given.next]
    assert not any("hairpin_mode" in c for c in commands)
    assert any(c.startswith("tcpdump -e -v -n -i eth0 icmp6") for c in commands)
    assert any("ip link; ip neigh" in c for c in commands)


def random_addresses(*identifiers: str) -> str:
    lines = (f"wlan0: IPv6 duplicate address 2001:db8::{i} detected!" for i in identifiers)
    return dmesg(*(f"IPv6: {line}".replace("8::", "8:0:1:") for line in lines), host="laptop")


DRAWN = ("5054:ff:fe00:1", "cdb:467c:e1e6:7532", "58eb:c65e:25e:b3c7")


def test_nobody_else_has_several_fresh_random_addresses() -> None:
    given = report(random_addresses(*DRAWN))
    finding = only(given, NAME)
    assert (finding.confidence, finding.details["why"]) == ("likely", "random")
    assert given.verdict == "comes-back"


@pytest.mark.parametrize(
    "identifiers",
    [
        DRAWN[:2],
        ("5054:ff:fe00:1", "0:0:0:11", "0:0:0:12"),
        ("5054:ff:fe00:1", "192:168:10:11", "192:168:10:12"),
        DRAWN[1:],
    ],
    ids=["one random", "written by hand", "of IPv4 addresses", "two, as clones may have"],
)
def test_few_or_chosen_identifiers_may_be_another_s(identifiers: tuple[str, ...]) -> None:
    assert dad(random_addresses(*identifiers)).confidence == "possible"


def test_an_address_of_the_prefix_that_passed_argues_against_it() -> None:
    passed = listing(
        "ip addr show",
        [
            "2: wlan0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
            "    inet6 2001:db8:0:1:a413:1a:2614:e16a/64 scope global temporary dynamic",
        ],
        host="laptop",
    )
    assert dad(random_addresses(*DRAWN) + passed).confidence == "possible"


def test_one_mac_that_claims_what_was_just_drawn_is_a_proxy() -> None:
    text = random_addresses(*DRAWN).replace(" detected!", " used by 00:00:5e:00:53:01 detected!")
    link_ = "    link/ether 52:54:00:00:00:01 brd ff:ff:ff:ff:ff:ff"
    device = "2: wlan0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP"
    given = report(text + listing("ip link show", [device, link_], host="laptop"))
    assert not of(given, NAME)
    assert len(of(given, "dad-proxied")) == 3
    assert given.verdict == "clear"


FLAGS = (
    "2: eth0: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP",
    f"    link/ether {GUEST0} brd ff:ff:ff:ff:ff:ff",
)


def flagged(*flags: str) -> str:
    lines = (f"    inet6 fe80::5054:ff:fe00:{n}/64 scope link {f}" for n, f in enumerate(flags, 1))
    return listing("ip addr show", [*FLAGS, *lines], host="web1")


def test_tentative_alone_is_no_failure() -> None:
    assert NAME not in checks(report(ON + flagged("tentative")))
    assert NAME not in checks(report(ON + flagged("tentative optimistic")))


def test_a_flag_and_a_message_of_one_address_are_one_failure() -> None:
    finding = dad(ON + flagged("dadfailed tentative") + dmesg(OWN, host="web1"))
    assert finding.details["addresses"] == ["fe80::5054:ff:fe00:1"]
    lines = cited(finding)
    assert any("dadfailed" in line for line in lines)
    assert any("used by" in line for line in lines)


def test_ipv6_disabled_for_it_is_a_failure() -> None:
    finding = dad(dmesg("IPv6: eth0: IPv6 being disabled!", host="web1"))
    assert (finding.confidence, finding.details["addresses"]) == ("possible", [])


def test_a_cloned_mac_accounts_for_it() -> None:
    text = flagged("dadfailed tentative") + flagged("").replace("web1#", "web2#")
    given = report(text)
    assert not of(given, NAME)
    assert of(given, "duplicate-mac")
    assert given.verdict == "clear"


QUOTED = """\
Here is what the guest says:

Jun 10 10:19:44 web1 kernel: [1.02] eth0: IPv6 duplicate address fe80::5054:ff:fe00:1 detected!

To turn it off, run this on the host:

{advice}

"""
ADVICE = "echo 0 > /sys/class/net/br7/brif/vnet3/hairpin_mode"


@pytest.mark.parametrize(
    ("advice", "file"),
    [
        (ADVICE, "/sys/class/net/br7/brif/vnet3/hairpin_mode"),
        ("brctl hairpin br7 vnet3 off", "/sys/class/net/br7/brif/vnet3/hairpin_mode"),
        ("bridge link set dev vnet3 hairpin off", "/sys/class/net/vnet3/brport/hairpin_mode"),
    ],
)
def test_advice_names_the_port_and_its_file_decides(advice: str, file: str) -> None:
    given = report(QUOTED.format(advice=advice))
    assert (only(given, NAME).confidence, given.verdict) == ("likely", "comes-back")
    assert given.next[0].command == f"cat {file}"


@pytest.mark.parametrize(("value", "confidence"), [("1", "certain"), ("0", "possible")])
def test_the_value_of_that_file_decides(value: str, confidence: str) -> None:
    shown = f"$ cat /sys/class/net/br7/brif/vnet3/hairpin_mode\n{value}\n"
    assert dad(QUOTED.format(advice=ADVICE) + shown).confidence == confidence


def test_without_the_advice_nothing_names_a_port() -> None:
    given = report(QUOTED.format(advice="and then reboot"))
    assert (only(given, NAME).confidence, given.verdict) == ("possible", "undecided")


def test_where_every_guest_s_port_returns_it_does_not_matter_which_is_its_own() -> None:
    ports = links(
        *LINKS[:2], TAP, link(5, "vnet1", "fe:54:00:00:00:02", TUN, master="br0", port="hairpin on")
    )
    message = "eth0: IPv6 duplicate address fe80::1234 detected!"
    assert dad(ports + dmesg(message, host="web9")).confidence == "likely"
    one = ports.replace("hairpin on", "hairpin off", 1)
    assert dad(one + dmesg(message, host="web9")).confidence == "possible"


def test_a_host_s_own_log_is_no_guest_s() -> None:
    ports = links(*LINKS[:2], TAP)
    message = "eth0: IPv6 duplicate address fe80::1234 detected!"
    assert dad(ports + dmesg(message)).confidence == "possible"


def test_a_log_names_devices_without_their_namespace() -> None:
    """The own MAC of the first namespace's eth0 says nothing about a container's."""
    inside = link(2, "eth0@if9", "02:00:00:00:00:77", VETH)
    node = links(LINKS[0]) + links(inside, netns="pod1")
    message = "IPv6: eth0: IPv6 duplicate address fd00::5 used by 02:00:00:00:00:77 detected!"
    given = report(node + dmesg(message))
    assert checks(given) >= {NAME}
    assert "duplicate-address" not in checks(given)


def test_of_a_guest_s_two_interfaces_the_address_tells_which() -> None:
    two = links(*LINKS[:2], TAP, LINKS[3]) + domiflist(f"vnet0 br0 {GUEST0}", f"vnet1 br0 {GUEST1}")
    own = dad(two + dmesg(OLD, host="web1"))
    assert own.details["returned_by"] == "vnet0"
    other = OLD.replace("fe80::5054:ff:fe00:1", "fe80::5054:ff:fe00:2")
    assert dad(two + dmesg(other, host="web1")).details["port"] == "vnet1"
    assert dad(two + dmesg(OLD.replace("5054:ff:fe00:1", "1"), host="web1")).details["port"] is None


def test_what_returns_the_bridge_s_frames_returns_its_probe() -> None:
    moved = fdb(f"{TWIN0} dev vnet0 master br0 permanent", f"{GUEST0} dev eth0 used 1/1 master br0")
    text = HYPERVISOR + moved + dmesg(own_address("eth0", "0c:c4:7a:00:00:01"))
    given = report(text + dmesg(OLD, host="web1"))
    finding = only(given, NAME)
    assert of(given, "uplink-echo")
    assert (finding.confidence, finding.details["returned_by"]) == ("likely", "eth0")


CAPTURE = (
    "10:00:00.{at} {way}02:00:00:00:00:01 > 33:33:ff:00:00:01, ethertype IPv6 (0x86dd), length 86:"
    " (hlim 255, next-header ICMPv6 (58) payload length: 32) :: > ff02::1:ff00:1: [icmp6 sum ok]"
    " ICMP6, neighbor solicitation, length 32, who has fe80::ff:fe00:1"
)
CAPTURED = (CAPTURE, "\t  unknown option (14), length 8 (1): ", "\t  0x0000:  a983 ddee {nonce}")


def captured(first: str, second: str, at: str = "000012", nonce: str = "3ce4") -> str:
    lines = [
        *(line.format(at="000000", way=first, nonce="3ce4") for line in CAPTURED),
        *(line.format(at=at, way=second, nonce=nonce) for line in CAPTURED),
    ]
    message = (
        "IPv6: eth0: IPv6 duplicate address fe80::ff:fe00:1 used by 02:00:00:00:00:01 detected!"
    )
    return dmesg(message, host="web1") + listing("tcpdump -e -v -n -i eth0", lines, host="web1")


def test_its_own_solicitation_in_a_capture() -> None:
    finding = dad(captured("eth0  Out ", "eth0  M   "))
    assert (finding.evidence, finding.confidence) == ("observed", "certain")
    assert dad(captured("", "")).confidence == "likely"


@pytest.mark.parametrize(
    "text",
    [captured("", "", at="900000"), captured("", "", nonce="ffff"), captured("", "eth0  Out ")],
    ids=["a second later", "another nonce", "sent twice"],
)
def test_two_solicitations_are_not_one_that_came_back(text: str) -> None:
    assert dad(text).confidence == "possible"


def test_a_refused_ipv4_address_is_seldom_one_s_own_probe() -> None:
    """RFC 5227 §2.1.1 has a station ignore probes with its own MAC."""
    given = report(
        ON
        + dmesg("dhclient[7]: DHCPDECLINE of 192.0.2.9 on eth0 to 192.0.2.1 port 67", host="web1")
    )
    assert only(given, NAME).confidence == "possible"
    assert any("eth0 arp" in step.command for step in given.next)


def test_a_message_without_an_address_adds_nothing_to_one_with_it() -> None:
    finding = dad(dmesg(OLD, "eth0: IPv6 duplicate address detected!", host="web1"))
    assert len(finding.because) == 1


def test_bridge_without_ports_known_is_survived() -> None:
    text = links(link(3, "br0", "02:00:00:00:0a:01", BRIDGE)) + dmesg(OWN, host="web1")
    assert dad(text).confidence == "possible"


def test_a_capture_on_the_station_names_the_other_user() -> None:
    """What the advice asks for decides: an answer from another MAC is another station's."""
    answer = (
        "10:00:01.000000 02:00:00:00:0b:01 > 33:33:00:00:00:01, ethertype IPv6 (0x86dd), length 86:"
        " fe80::b > ff02::1: ICMP6, neighbor advertisement, tgt is fe80::5054:ff:fe00:1, length 32"
    )
    shown = listing("tcpdump -e -n -i eth0 icmp6", [answer], host="web1")
    given = report(dmesg(OLD, host="web1") + shown)
    assert NAME not in checks(given)
    assert only(given, "duplicate-address").details["macs"] == [GUEST0, "02:00:00:00:0b:01"]
