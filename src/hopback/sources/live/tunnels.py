"""Tunnels, from the nested attributes of RTM_NEWLINK; WireGuard's peers by ``wg show``.

``include/uapi/linux/if_tunnel.h``: IFLA_IPTUN_* (ipip, sit, ip6tnl) and IFLA_GRE_* (gre, gretap and
their IPv6 twins).
"""

from typing import NamedTuple

from hopback.snapshot.rows import Tunnel, TunnelKind, WireguardPeer
from hopback.snapshot.table import Cite, Missing
from hopback.sources.live import programs
from hopback.sources.live.addresses import format_ip
from hopback.sources.live.modules import presence
from hopback.sources.live.netlink import Attributes, number, number_of
from hopback.sources.live.programs import Failed
from hopback.sources.live.reading import Names, Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text
from hopback.sources.secrets import without_secrets

_SUM, _KEY, _SEQUENCE = 0x8000, 0x2000, 0x1000
_UNLIMITED, _INNER_CLASS = 0x1, 0x2  # IP6_TNL_F_IGN_ENCAP_LIMIT, IP6_TNL_F_USE_ORIG_TCLASS
_LIST = "wg show"


class _Layout(NamedTuple):
    """Which attribute says what; ``iflags`` 0 where there are no keys."""

    local: int
    remote: int
    ttl: int
    tos: int
    encap_limit: int
    flow: int
    flags: int
    pmtudisc: int
    external: int
    iflags: int = 0
    ignore_df: int = 0


_IPTUN = _Layout(2, 3, 4, 5, 6, 7, 8, 10, 19)
_GRE = _Layout(6, 7, 8, 9, 11, 12, 13, 10, 18, iflags=2, ignore_df=19)
_LINK, _OFLAGS, _IKEY, _OKEY, _MARK = 1, 3, 4, 5, 20


def tunnel(
    cite: Cite, netns: str, name: str, kind: TunnelKind, data: Attributes, known: Names
) -> Tunnel:
    """A tunnel's settings."""
    if kind == "wireguard":
        return Tunnel(cite=cite, netns=netns, dev=name, kind=kind)
    at = _GRE if "gre" in kind else _IPTUN
    v6 = kind.startswith("ip6")
    lower, flow = number(data.get(_LINK, b"")), int.from_bytes(data.get(at.flow, b""), "big")
    flags = number(data.get(at.flags, b"")) if v6 else 0
    sends, takes = (_bits(data, n) if at.iflags else 0 for n in (_OFLAGS, at.iflags))
    tos = (flow >> 20) & 0xFF if v6 else number(data.get(at.tos, b""))
    return Tunnel(
        cite=cite,
        netns=netns,
        dev=name,
        kind=kind,
        local=_address(data.get(at.local, b"")),
        remote=_address(data.get(at.remote, b"")),
        lower=known[lower] if lower else "",
        ttl=number(data.get(at.ttl, b"")),
        tos=1 if flags & _INNER_CLASS else tos,
        key=_bits(data, _OKEY) if sends & _KEY else None,
        accepts_key=_bits(data, _IKEY) if takes & _KEY else None,
        summed=bool(sends & _SUM) if at.iflags else None,
        accepts_summed=bool(takes & _SUM) if at.iflags else None,
        numbered=bool(sends & _SEQUENCE) if at.iflags else None,
        accepts_numbered=bool(takes & _SEQUENCE) if at.iflags else None,
        pmtudisc=None if v6 else any(data.get(at.pmtudisc, b"")),
        ignore_df=bool(at.ignore_df) and any(data.get(at.ignore_df, b"")),
        external=at.external in data,
        encap_limit=-1 if flags & _UNLIMITED else number_of(data, at.encap_limit),
        mark=number_of(data, _MARK),
    )


def _address(raw: bytes) -> str:
    return format_ip(raw) if any(raw) else ""


def _bits(data: Attributes, kind: int) -> int:
    """Flags and keys are in network order."""
    return int.from_bytes(data.get(kind, b""), "big")


def read_peers(reading: Reading, *, there: bool) -> None:
    """Add WireGuard's peers, if there are such devices; the program would load the module."""
    if not there or presence("wireguard", "CONFIG_WIREGUARD") == "absent":
        return
    path = programs.find("wg")
    if path is None:
        reading.builder.miss(WireguardPeer, Missing("there is no wg", f"sudo {_LIST}"))
        return
    try:
        lines = [without_secrets(line) for line in programs.output(path, "show").split("\n")]
    except Failed as error:
        reading.builder.miss(WireguardPeer, Missing(str(error), f"sudo {_LIST}"))
        return
    origin = reading.open(_LIST, "\n".join(lines))
    words = tuple(_LIST.split())
    found = registry.parser("wg").parse(
        Text(origin.source, _LIST, lines, command=words, netns=reading.netns)
    )
    extent = reading.extent(origin, whole=not found.problems)
    reading.builder.add(found.rows, found.problems, (WireguardPeer,), extent)
