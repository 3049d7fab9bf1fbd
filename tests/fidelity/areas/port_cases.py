"""Random bridges some of whose ports have MAB, a backup, a small MTU, or no carrier."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from random import Random

from tests.fidelity.areas import bridge_cases
from tests.fidelity.areas.bridge_cases import BridgeCase
from tests.kernel.bridge_rig import FORWARDING, PortConfig
from tests.kernel.port_rig import MTU, FullPort

PORTS = 3

_DISABLED = 0
_SMALL_MTUS = (68, 200, 296)
_LARGEST = tuple(mtu + 18 for mtu in _SMALL_MTUS)  # with its header and a VLAN tag

_FITS = min(_LARGEST) - 4
_TPIDS = (bytes.fromhex("8100"), bytes.fromhex("88a8"))


@dataclass(frozen=True)
class PortCase(BridgeCase):
    """``cut``: the first port has no carrier. ``promisc`` is the bridge device's."""

    ports: tuple[FullPort, ...]
    cut: bool = False
    promisc: bool = False


def random_case(chance: Random) -> PortCase:
    """A bridge of ``PORTS`` ports, and frames many of which are as large as an MTU allows."""
    cut = chance.random() < 0.5
    plain = bridge_cases.random_case(chance, PORTS)
    ports = [_full(chance, port) for port in plain.ports]
    if cut:
        ports[0] = replace(ports[0], state=_DISABLED)
        ports[1] = replace(ports[1], state=FORWARDING)
    return PortCase(
        ports=tuple(ports),
        entries=plain.entries,
        settings=plain.settings,
        frames=tuple((at, _sized(chance, at, raw)) for at, raw in plain.frames),
        cut=cut,
        promisc=chance.random() < 0.5,
    )


def _full(chance: Random, port: PortConfig) -> FullPort:
    flags = {**vars(port), "locked": chance.random() < 0.25}
    return FullPort(
        **flags,
        mab=flags["locked"] and port.learning and chance.random() < 0.7,
        backup=chance.random() < 0.5,
        mtu=chance.choice(_SMALL_MTUS) if chance.random() < 0.4 else MTU,
    )


def _sized(chance: Random, at: int | None, raw: bytes) -> bytes:
    """The frame, or one that is longer: by a few bytes more or less than an MTU allows.

    A tag that a raw socket wrote counts, one that came with the frame does not: the host's own
    tagged frames fit every port.
    """
    if at is None and raw[12:14] in _TPIDS:
        return raw[:_FITS]
    if chance.random() < 0.5:
        return raw
    return raw.ljust(chance.choice(_LARGEST) + chance.randint(-5, 5), b"\0")


def smaller_case(case: PortCase) -> Iterator[PortCase]:
    """As of any bridge, but a port that is cut stays one; then without what is rare."""
    for smaller in bridge_cases.smaller_case(case):
        possible = all(port.locked or not port.mab for port in smaller.ports)
        if possible and not (case.cut and smaller.ports[0].state != _DISABLED):
            yield smaller
    if case.promisc:
        yield replace(case, promisc=False)
