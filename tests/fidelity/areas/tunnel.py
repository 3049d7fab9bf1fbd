"""Tunnels in one namespace: what they wrap, what they open, and what leads into itself."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import ip_interface
from random import Random

from msgspec.structs import replace as changed

from hopback.datapath.model import Model
from hopback.datapath.rules import RULES
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.icmp import Icmp, Icmpv6
from hopback.frames.ipv4 import Ipv4
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import format_mac
from hopback.frames.tunnel import Gre, Inner
from hopback.frames.udp import Udp
from tests.build import TUN, link, links, listing, model
from tests.fidelity.area import Prediction, Received, Result
from tests.fidelity.areas.tunnel_cases import (
    DIRECTED,
    MARK,
    TunnelCase,
    random_case,
    smaller_case,
)
from tests.fidelity.mutants import Mutation
from tests.fidelity.walk import Walk
from tests.kernel.tunnel_rig import (
    ADDRESSES,
    INSIDE,
    MACS,
    STATIONS,
    TAPS,
    KernelTunnels,
    TunnelConfig,
    routes,
    tunnel_refusal,
)

_UNREACHABLE = {Icmp: (3,), Icmpv6: (1, 4)}
"""That there is no tunnel, or that nothing at all takes such packets."""
_SETTINGS = (
    "net.ipv4.ip_forward = 1",
    "net.ipv4.conf.all.rp_filter = 0",
    *(f"net.ipv4.conf.{name}.rp_filter = 0" for name in TAPS),
    "net.ipv6.conf.all.forwarding = 1",
)


class TunnelArea:
    """One namespace for all cases; what is unlike in them is tunnels, routes and frames."""

    name = "tunnel"
    rules = frozenset(name for name, rule in RULES.items() if rule.area == "tunnel")
    enumerated: Sequence[TunnelCase] = DIRECTED
    not_covered = (
        "tunnels that carry frames (gretap), without a remote, in another namespace or VRF",
        "the identification, sequence number and flow label of outer packets, which nobody knows",
        "congestion marks of outer packets that are opened, and packets cut into fragments",
        "a route of a VXLAN device into itself: tests/kernel/test_tunnel_routes.py",
    )

    def refusal(self) -> str | None:
        return tunnel_refusal()

    def generate(self, chance: Random) -> TunnelCase:
        return random_case(chance)

    def smaller(self, case: TunnelCase) -> Iterator[TunnelCase]:
        return smaller_case(case)

    @contextmanager
    def kernel(self) -> Iterator[Callable[[TunnelCase], Result]]:
        with KernelTunnels() as rig:

            def run(case: TunnelCase) -> Result:
                rig.set(case.tunnels)
                sent = rig.play(case.frames)
                errors = [raw for raws in sent.values() for raw in raws if _error(raw)]
                local = [*(d for d in rig.delivered() if MARK in d), *errors]
                return _result(sent, local)

            yield run

    def model(self, case: TunnelCase, mutation: Mutation) -> Prediction:
        run = Walk(_model(case.tunnels), mutation, frozenset(TAPS))
        for name, raw in case.frames:
            run.receive(name, raw)
        result, fired = run.prediction()
        local = [got.frame for taken in result.local.values() for got in taken]
        return Prediction(_result(result.egress, local), fired)


AREA = TunnelArea()


def _result(egress: Mapping[str, tuple[bytes, ...]], local: Iterable[bytes]) -> Result:
    """What nobody opened is told by an error that quotes it.

    Each tunnel hands on what it has opened when its turn comes (gro_cells_receive).
    """
    sent = {n: tuple(_counted(raw) for raw in raws if _is_ours(raw)) for n, raws in egress.items()}
    sent[INSIDE] = tuple(sorted(sent.get(INSIDE, ())))
    taken = tuple(sorted(Received("host", _number(raw)) for raw in local))
    return Result({n: raws for n, raws in sent.items() if raws}, {"host": taken})


def _number(raw: bytes) -> bytes:
    at = raw.index(MARK)
    return raw[at : at + len(MARK) + 2]


def _error(raw: bytes) -> bool:
    """Whether the host says of a packet with another in it that nobody takes it."""
    packet = decode(raw).payload
    if not isinstance(packet, Ipv4 | Ipv6) or MARK not in raw:
        return False
    message = packet.payload
    if not isinstance(message, Icmp | Icmpv6) or message.kind not in _UNREACHABLE[type(message)]:
        return False
    quoted = decode(raw[:14] + message.body.raw).payload
    return isinstance(quoted, Ipv4 | Ipv6) and isinstance(quoted.payload, Inner | Gre)


def _is_ours(raw: bytes) -> bool:
    """No error, wrapped or not, and nothing that the host says by itself."""
    inside: object = decode(raw).payload
    while isinstance(inside, Ipv4 | Ipv6):
        match inside.payload:
            case Inner(packet=carried) | Gre(payload=carried):
                inside = carried
            case message:
                return isinstance(message, Udp) and MARK in raw
    return False


def _counted(raw: bytes) -> bytes:
    """The frame without what the kernel counts or draws: identification, sequence, flow label."""
    return encode(_uncounted(decode(raw)))


def _uncounted(frame: Frame) -> Frame:
    packet = frame.payload
    return changed(frame, payload=_plain(packet)) if isinstance(packet, Ipv4 | Ipv6) else frame


def _plain(packet: Ipv4 | Ipv6) -> Ipv4 | Ipv6:
    message = packet.payload
    if isinstance(message, Inner) and isinstance(message.packet, Ipv4 | Ipv6):
        message = changed(message, packet=_plain(message.packet))
    elif isinstance(message, Gre) and isinstance(message.payload, Ipv4 | Ipv6):
        number = None if message.sequence is None else 0
        inside = _plain(message.payload)
        message = changed(message, payload=inside, sequence=number, checksum=None)
    if isinstance(packet, Ipv4):
        return changed(packet, payload=message, ident=0, checksum=None)
    return changed(packet, payload=message, flow_label=0)


@lru_cache(maxsize=64)
def _model(tunnels: tuple[TunnelConfig, ...]) -> Model:
    return model(described(tunnels))


def described(tunnels: Sequence[TunnelConfig]) -> str:
    """The namespace as its tables tell of it."""
    devices = [link(i, n, format_mac(MACS[n]), TUN) for i, n in enumerate(TAPS, 2)]
    addresses = []
    for index, (name, given) in enumerate(ADDRESSES.items(), 2):
        addresses.append(f"{index}: {name}: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500")
        addresses += [f"    inet{'6' * (':' in a)} {a} scope global {name}" for a in given]
    own = [
        f"{ip_interface(address).network} dev {name} proto kernel scope link"
        for name, given in ADDRESSES.items()
        for address in given
    ]
    neighbours = [
        f"{address} dev {name} lladdr {format_mac(mac)} PERMANENT"
        for address, (name, mac) in STATIONS.items()
    ]
    off = [f"net.ipv4.conf.{tunnel.name}.rp_filter = 0" for tunnel in tunnels]
    return (
        listing("uname -r", [os.uname().release])
        + links(*devices, *(tunnel.shown() for tunnel in tunnels))
        + listing("ip addr show", addresses)
        + listing("ip route show table all", [*own, *routes(tunnels)])
        + listing("ip neigh show", neighbours)
        + listing("sysctl", [*_SETTINGS, *off])
    )
