"""Settings and identity: what /proc says of this namespace and of the host."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from hopback.snapshot.rows import HostIdentity, Kernel, Sysctl
from hopback.sources.live.reading import Reading

_ROOT = "/proc/sys"
_IPV6 = (
    "accept_dad",
    "enhanced_dad",
    "dad_transmits",
    "disable_ipv6",
    "forwarding",
    "proxy_ndp",
    "accept_ra",
    "addr_gen_mode",
    "optimistic_dad",
    "ndisc_notify",
    "drop_unsolicited_na",
    "ignore_routes_with_linkdown",
)
_IPV4 = (
    "rp_filter",
    "arp_ignore",
    "arp_announce",
    "arp_filter",
    "forwarding",
    "proxy_arp",
    "proxy_arp_pvlan",
    "accept_local",
    "bc_forwarding",
    "ignore_routes_with_linkdown",
    "medium_id",
    "route_localnet",
    "send_redirects",
    "shared_media",
    "src_valid_mark",
)
_GLOBAL = (
    "ipv4/ip_forward",
    "ipv4/ip_default_ttl",
    "ipv4/icmp_errors_use_inbound_ifaddr",
    "ipv4/fib_multipath_hash_policy",
    "ipv6/fib_multipath_hash_policy",
)
_BRIDGE = ("iptables", "ip6tables", "arptables")


def read_settings(reading: Reading, ports: Collection[str]) -> None:
    """Add the settings of this namespace that decide what comes back, where the kernel has them.

    /proc/sys/net shows the namespace of the thread that looks. ``ports`` are devices enslaved to
    another one: IP does not run on them, and a hypervisor has hundreds.
    """
    known = list(_settings(ports))
    lines = [f"{key} = {value}" for key, value in known]
    origin = reading.open("sysctl net", "\n".join(lines))
    # a choice of keys: what is not among them is unknown, not absent
    reading.builder.add(
        (
            Sysctl(cite=origin.cite(line), netns=reading.netns, key=key, value=value)
            for line, (key, value) in enumerate(known, 1)
        ),
        fills=(Sysctl,),
        extent=reading.extent(origin, whole=False),
    )


def _settings(ports: Collection[str]) -> Iterator[tuple[str, str]]:
    for name in _GLOBAL:
        yield from _value(f"net/{name}")
    for name in _entries(f"{_ROOT}/net/ipv4/vs"):  # there with IPVS only
        yield from _value(f"net/ipv4/vs/{name}")
    for name in _BRIDGE:
        yield from _value(f"net/bridge/bridge-nf-call-{name}")
    for family, names in (("ipv4", _IPV4), ("ipv6", _IPV6)):
        for device in _entries(f"{_ROOT}/net/{family}/conf"):
            for name in names if device not in ports else ():
                yield from _value(f"net/{family}/conf/{device}/{name}")


def _entries(path: str) -> list[str]:
    try:
        return sorted(entry.name for entry in Path(path).iterdir())
    except OSError:  # IPv6 (or IPVS) is not in this kernel
        return []


def _value(path: str) -> Iterator[tuple[str, str]]:
    """The key and its value, or nothing where the kernel is too old to have it."""
    try:
        value = Path(f"{_ROOT}/{path}").read_text().strip()
    except OSError:
        return
    # sysctl swaps the two separators, so that VLAN eth0.5 is eth0/5 in a key
    yield path.translate(str.maketrans("/.", "./")), value


def read_host(reading: Reading) -> None:
    """Add the kernel's release and who the host says it is."""
    release = os.uname().release
    origin = reading.open("uname -r", release)
    reading.builder.add(
        (Kernel(cite=origin.cite(1), netns=reading.netns, release=release),),
        fills=(Kernel,),
        extent=reading.extent(origin),
    )
    origin = reading.open("hostnamectl")
    machine, boot = ids()
    identity = HostIdentity(
        cite=origin.cite(1),
        netns=reading.netns,
        hostname=reading.host or None,
        machine_id=machine,
        boot_id=boot,
    )
    reading.builder.add((identity,), fills=(HostIdentity,), extent=reading.extent(origin))


def ids() -> tuple[str | None, str | None]:
    """The ids of this machine and of its current boot."""
    return _id(Path("/etc/machine-id")), _id(Path("/proc/sys/kernel/random/boot_id"))


def _id(path: Path) -> str | None:
    """32 hexadecimal digits, without the dashes that only one of the files has."""
    try:
        return path.read_text().strip().replace("-", "") or None
    except OSError:
        return None
