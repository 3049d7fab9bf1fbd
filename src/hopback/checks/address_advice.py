"""What to run next where addresses, identities or their detection are in question."""

from collections.abc import Iterator
from shlex import quote

from hopback.findings import Finding, NextStep

_ANYWHERE = "a third machine of the segment"


def for_addresses(finding: Finding) -> Iterator[tuple[str, NextStep]]:
    """The steps for one finding, each with the namespace in which its command is run."""
    match finding.check:
        case "dad-reflection" if finding.confidence != "certain":
            yield from _dad(finding)
        case "duplicate-address":
            yield "", _who_has(finding.subject)
        case "dad-proxied" if finding.confidence != "certain":
            command = "ip -6 neigh show proxy; sysctl -a | grep -E 'proxy_ndp|ipv6.*all.forwarding'"
            what = f"the one that answers is a proxy if it lists {finding.subject}"
            yield "", NextStep("the routers of the segment", command, what)
        case "weak-host-arp" if finding.details["arp_ignore"] is None:
            keys = (
                f"net.ipv4.conf.{n}.arp_ignore" for n in ("all", finding.details["answered_by"])
            )
            why = "the larger holds; from 1 on the interface answers for its own addresses only"
            command = f"sysctl {' '.join(keys)}"
            yield str(finding.details["netns"]), NextStep(finding.host, command, why)
        case "dhcp-checksum" if finding.confidence != "certain":
            yield (
                "",
                NextStep(
                    finding.host,
                    "journalctl | grep 'bad udp checksums'",
                    "a DHCP client that complains drops the replies for it",
                ),
            )
            yield (
                "",
                NextStep(
                    "the DHCP server's host",
                    "iptables -t mangle -S POSTROUTING; ethtool -k DEV | grep tx-checksum",
                    "whether something fills the sum in before the reply leaves",
                ),
            )
        case "shared-identity" if finding.confidence != "certain":
            yield (
                "",
                NextStep(
                    "each of them",
                    "hostnamectl; cat /proc/sys/kernel/random/boot_id",
                    "one machine-id with two boot ids is two machines",
                ),
            )


def _dad(finding: Finding) -> Iterator[tuple[str, NextStep]]:
    """What returns the probe, what the station hears, and who else has the address."""
    told, device = finding.details, quote(finding.subject)
    netns, addresses = str(told["netns"]), told["addresses"]
    ipv4 = bool(addresses) and all(":" not in address for address in addresses)
    returns = "1: the bridge returns the station's own probe by that port, 0: it does not"
    if told["hairpin_file"] and told["why"] != "path":
        yield (
            str(told["port_netns"]),
            NextStep(str(told["port_host"]), f"cat {told['hairpin_file']}", returns),
        )
    what = "arp" if ipv4 else "icmp6"
    yield (
        netns,
        NextStep(
            finding.host,
            f"tcpdump -e -v -n -i {device} {what}   # while the address is added again",
            "the source MAC of the answer, or of the same probe coming in, names who sends it",
        ),
    )
    if told["enhanced_dad"] is None and not ipv4:
        keys = " ".join(f"net.ipv6.conf.{n}.enhanced_dad" for n in ("all", device))
        why = "with either at 1 (from 4.10 on) the station knows its own solicitation"
        yield netns, NextStep(finding.host, f"sysctl {keys}", why)
    named = " or ".join(addresses[:2]) or "the address"
    yield (
        "",
        NextStep(
            "the other stations of the segment",
            "ip link; ip neigh",
            f"whether one of them has {named}, or the MAC of {finding.subject}",
        ),
    )
    if told["port"] is None:
        yield (
            "",
            NextStep(
                "the host of the guest",
                "grep . /sys/class/net/*/brport/hairpin_mode",
                "1 at the guest's port: the bridge returns its own probe to it",
            ),
        )


def _who_has(address: str) -> NextStep:
    if ":" in address:
        command = f"tcpdump -e -v -n -i DEV icmp6 & ping -6 -c 3 {address}"
    else:
        command = f"arping -c 3 -I DEV {address}"
    return NextStep(_ANYWHERE, command, "two MACs that answer are the two users")
