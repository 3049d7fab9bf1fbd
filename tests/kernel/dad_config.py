"""What a station of ``dad_rig`` is like, and what it hears: for the kernel's and the model's."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path
from typing import Literal

from hopback.frames import ethernet, icmp, nd
from hopback.frames.build import ALL_NODES, link_local, multicast_mac, solicited_node
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import Mac
from hopback.frames.nd import Na, NdOption, Ns, Prefix, Ra, lladdr_option, prefix_option

NONCE, OTHER_NONCE = b"\1\2\3\4\5\6", b"\6\5\4\3\2\1"
OTHER_MAC, ROUTER_MAC = Mac(0x0200_0000_0099), Mac(0x0200_0000_00FE)
ROUTER = IPv6Address("fe80::fe")


_GLOBAL = IPv6Network("2001:db8::/32")

Settings = tuple[tuple[str, int], ...]

EVERYBODY: Mapping[str, int] = {
    "conf/all/accept_dad": 0,
    "conf/all/enhanced_dad": 1,
    "conf/all/optimistic_dad": 0,
    "conf/all/use_optimistic": 0,
    "conf/all/proxy_ndp": 0,
    "conf/all/ndisc_notify": 0,
    "conf/all/forwarding": 0,
    "idgen_retries": 3,
}
"""Settings of the whole namespace, as a new one has them."""

OWN: Mapping[str, int] = {
    "accept_dad": 1,
    "enhanced_dad": 1,
    "dad_transmits": 1,
    "optimistic_dad": 0,
    "use_optimistic": 0,
    "proxy_ndp": 0,
    "ndisc_notify": 0,
    "drop_unsolicited_na": 0,
    "accept_ra": 1,
    "autoconf": 1,
    "router_solicitations": 3,
    "forwarding": 0,
}
"""Settings of each interface, as a new one has them."""


@dataclass(frozen=True)
class Heard:
    """A message for a station. ``mac`` says whose source address it has.

    ``target`` is an address, or "own" for the one last probed for (else the one it was given).
    ``to``: "group" (the target's, or all nodes for NA and RA) or, where the target is its own,
    "station" alone.
    ``prefix`` and its times, in seconds, are of an RA.
    """

    kind: Literal["ns", "na", "ra"] = "ns"
    mac: Literal["own", "other"] = "other"
    src: str = "::"
    nonce: Literal["none", "own", "other"] = "none"
    target: str = "own"
    to: Literal["group", "station"] = "group"
    lladdr: bool = False
    solicited: bool = False
    hop_limit: int = 255
    prefix: str = "2001:db8::"
    length: int = 64
    flags: int = 0xC0
    valid: int = 3600
    preferred: int = 1800


@dataclass(frozen=True)
class StationConfig:
    """One station: its settings, the address it is given, and what it hears then.

    ``given`` counts in ``mode`` 1; in any other it forms a link-local one itself. ``finish``: its
    detection may end before it hears anything.
    """

    settings: Settings = ()
    given: str | None = "fe80::1"
    flags: tuple[str, ...] = ()
    deprecated: bool = False
    dynamic: bool = False
    mode: int = 1
    finish: bool = False
    proxied: tuple[str, ...] = ()
    heard: tuple[Heard, ...] = ()


def existing(settings: Mapping[str, int]) -> dict[str, int]:
    """Those that this kernel has: optimistic duplicate detection is an option of its build."""
    has_all = Path("/proc/sys/net/ipv6/conf/all/optimistic_dad").exists()
    return {key: value for key, value in settings.items() if has_all or "optimistic" not in key}


def station_name(index: int) -> str:
    return f"ls{index}"


def station_mac(index: int) -> Mac:
    return Mac(0x0200_0000_0600 + index)


def given_address(index: int, config: StationConfig) -> IPv6Address:
    """The address it starts with; "eui64" is the link-local one of its MAC."""
    if config.given is None or config.given == "eui64":
        return link_local(station_mac(index))
    return placed(index, config.given)


def placed(index: int, text: str) -> IPv6Address:
    """An address as the station's segment has it: each has global prefixes of its own."""
    address = IPv6Address(text)
    return address + (index << 64) if address in _GLOBAL else address


def frame_of(heard: Heard, station: int, own: IPv6Address, nonce: bytes) -> Frame:
    """The message; ``own`` is what "own" means as a target, and ``nonce`` as a nonce."""
    mac = station_mac(station) if heard.mac == "own" else OTHER_MAC
    target = own if heard.target == "own" else placed(station, heard.target)
    nonces = {"none": None, "own": nonce, "other": OTHER_NONCE}
    value = nonces[heard.nonce]
    options = (NdOption(nd.NONCE, value),) if value is not None else ()
    group = solicited_node(target) if heard.kind == "ns" else ALL_NODES
    alone = heard.to == "station" and heard.target == "own"
    dst, dst_mac = (target, station_mac(station)) if alone else (group, multicast_mac(group))
    message: Ns | Na | Ra
    if heard.kind == "ra":
        mac = ROUTER_MAC
        prefix = Prefix(
            placed(station, heard.prefix), heard.length, heard.flags, heard.valid, heard.preferred
        )
        known = (lladdr_option(nd.SOURCE_LLADDR, mac),) if heard.lladdr else ()
        message = Ra(64, 0, 1800, options=(*known, prefix_option(prefix)))
    elif heard.kind == "na":
        known = (lladdr_option(nd.TARGET_LLADDR, mac),) if heard.lladdr else ()
        message = Na(target, solicited=heard.solicited, override=True, options=(*known, *options))
    else:
        # Who asks one station alone without its MAC has to be asked first: not in the model.
        sought = alone and heard.src != "::"
        known = (lladdr_option(nd.SOURCE_LLADDR, mac),) if heard.lladdr or sought else ()
        message = Ns(target, options=(*known, *options))
    packet = Ipv6(
        placed(station, heard.src), dst, icmp.PROTOCOL_V6, message, hop_limit=heard.hop_limit
    )
    return Frame(dst_mac, mac, (), ethernet.IPV6, packet)
