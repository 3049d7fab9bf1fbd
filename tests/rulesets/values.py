"""Random values, as ``nft -f`` reads them, of each data type."""

from collections.abc import Callable
from random import Random

Make = Callable[[Random], str]


def chosen(*words: str) -> Make:
    return lambda rng: rng.choice(words)


def number(largest: int, least: int = 0) -> Make:
    return lambda rng: str(rng.randint(least, largest))


def address(rng: Random) -> str:
    return f"10.0.{rng.randint(0, 3)}.{rng.randint(0, 255)}"


def address6(rng: Random) -> str:
    return rng.choice((f"fd00::{rng.randint(1, 0xFFFF):x}", "::1", "ff02::1:ff00:1", "fe80::1"))


def mac(rng: Random) -> str:
    return f"02:00:00:00:{rng.randint(0, 255):02x}:{rng.randint(0, 255):02x}"


def mark(rng: Random) -> str:
    return f"{rng.randint(0, 0xFFFF):#x}"


port = number(65535)
device = chosen('"tap0"', '"tap1"', '"br-lan.5"', '"lo"')
wild_device = chosen('"tap0"', '"tap*"', '"br-*"', '"lo"')
protocol = chosen("tcp", "udp", "icmp", "ipv6-icmp", "esp", "gre", "89", "200")
ether_type = chosen("ip", "arp", "ip6", "0x88cc", "8021q", "0x8035")
state = chosen("new", "established", "related", "invalid", "untracked")

VALUES: dict[str, Make] = {
    "ipv4_addr": address,
    "ipv6_addr": address6,
    "ether_addr": mac,
    "inet_service": port,
    "inet_proto": protocol,
    "mark": mark,
    "ifname": wild_device,
    "iface_index": chosen("lo"),
    "ether_type": ether_type,
    "icmp_type": chosen("echo-request", "echo-reply", "13", "redirect", "200"),
    "icmpv6_type": chosen("nd-neighbor-solicit", "nd-neighbor-advert", "128", "mld-listener-query"),
    "ct_state": state,
    "ct_status": chosen("snat", "dnat", "assured", "seen-reply"),
    "ct_dir": chosen("original", "reply"),
    "dscp": chosen("cs1", "af11", "ef", "0x05", "cs0"),
    "ecn": chosen("ce", "ect0", "not-ect"),
    "pkt_type": chosen("host", "broadcast", "multicast", "other"),
    "nf_proto": chosen("ipv4", "ipv6"),
    "arp_op": chosen("request", "reply", "9", "nak"),
    "iface_type": chosen("ether", "ppp", "loopback", "5"),
    "devgroup": chosen("default", "7"),
    "fib_type": chosen("local", "unicast", "broadcast", "blackhole"),
    "u8": number(255),
    "u12": number(4095),
    "u16": number(65535),
    "u3": number(7),
    "bit": number(1),
    "tcp_flag": chosen("syn", "syn|ack", "fin", "rst", "ack", "psh|urg"),
}

ORDERED = frozenset({"inet_service", "mark", "u8", "u16", "u12", "ipv4_addr", "ipv6_addr"})
"""Types that have ranges and an order."""

PREFIXED = {"ipv4_addr": 32, "ipv6_addr": 128, "ether_addr": 48}


def span(kind: str, rng: Random) -> str:
    """A range of a type in ``ORDERED``."""
    if kind == "ipv4_addr":
        return f"10.1.{rng.randint(0, 9)}.{rng.randint(0, 9)}-10.1.{rng.randint(10, 99)}.7"
    if kind == "ipv6_addr":
        return f"fd01::{rng.randint(1, 9)}-fd01::{rng.randint(0x10, 0xFFFF):x}"
    first = rng.randint(0, 200)
    return f"{first}-{min(first + rng.randint(1, 50), 255)}"


def prefix(kind: str, rng: Random) -> str:
    """A prefix of a type in ``PREFIXED``."""
    if kind == "ipv4_addr":
        return f"10.{rng.randint(4, 9)}.0.0/{rng.randint(16, 31)}"
    if kind == "ipv6_addr":
        return f"fd0{rng.randint(2, 9)}::/{rng.randint(16, 127)}"
    return f"02:00:{rng.randint(1, 255):02x}:00:00:00/{rng.randint(24, 40)}"
