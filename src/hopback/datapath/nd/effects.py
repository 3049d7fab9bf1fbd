"""What a station does with a frame or when a timer ends, as data; times in ns."""

from ipaddress import IPv6Address

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Drop, Log, Send, Why
from hopback.datapath.nd.state import Interface, Own
from hopback.frames.ethernet import Frame
from hopback.frames.mac import Mac
from hopback.network.facts import DevId


class Alter(Struct, frozen=True):
    """An address of ``dev`` changes. ``before`` None: it is new; ``after`` None: it is gone."""

    dev: DevId
    before: Own | None
    after: Own | None
    why: Why

    @property
    def address(self) -> IPv6Address:
        """The address in question."""
        own = self.after or self.before
        assert own is not None  # noqa: S101  (nothing never becomes nothing)
        return own.address


class Arm(Struct, frozen=True):
    """The next step of the address's duplicate detection is due in ``least`` to ``most`` ns."""

    dev: DevId
    address: IPv6Address
    least: int
    most: int
    why: Why


class Form(Struct, frozen=True):
    """The station shall have another address in ``delay`` ns, and ``dad.begin`` with it.

    Of a ``stable`` one the last 64 bits are zero here: the kernel makes them of its secret, the
    prefix and ``retries``, so the same ones give the same address.
    """

    dev: DevId
    own: Own
    delay: int
    why: Why


class Later(Struct, frozen=True):
    """The frame leaves within ``most`` ns: who answers for another waits for the owner."""

    dev: DevId
    frame: Frame
    most: int
    why: Why


class Meet(Struct, frozen=True):
    """The station now knows a neighbour's MAC."""

    dev: DevId
    address: IPv6Address
    mac: Mac
    why: Why


class Disable(Struct, frozen=True):
    """IPv6 is switched off on ``dev``: all its addresses are gone."""

    dev: DevId
    why: Why


HostEffect = Send | Later | Log | Drop | Ask | Blind | Alter | Arm | Form | Meet | Disable


def applied(station: Interface, effect: HostEffect) -> Interface:
    """The station after ``effect``, for whoever lets frames follow one another."""
    match effect:
        case Alter(after=None):
            rest = {a: own for a, own in station.addresses.items() if a != effect.address}
            return replace(station, addresses=rest)
        case Alter(after=Own() as own):
            return replace(station, addresses={**station.addresses, own.address: own})
        case Meet(address=address, mac=mac):
            return replace(station, known={**station.known, address: mac})
        case Disable():
            settings = replace(station.settings, disabled=True)
            return replace(station, settings=settings, addresses={}, known={}, proxied={})
    return station
