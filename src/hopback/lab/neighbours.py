"""What lies behind a way out of the lab: nobody recorded it, so it is stated.

    silent          the server itself, at the end of the wire
    switch          a switch, the server behind it
    reflector       the same, and the switch returns what it gets (hairpin on its port)
    two-link-loop   the same, and two links to a second switch make a ring
    lag             a switch that has the legs of the bond as one LAG, or as LACP's partner
    no-lag          a switch that has each leg of the bond on a port of its own

To the first four a bond is one link too, as it should be.

What makes a neighbour return frames is off until a scene stirs it, so that the recorded tables can
be tried in peace.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from msgspec import Struct

from hopback.datapath.bond import taking_leg
from hopback.datapath.bond_state import CHOSEN, BondState
from hopback.frames.mac import Mac, format_mac
from hopback.lab.devices import FAR, GUEST_DEVICE, HOST
from hopback.lab.segment import Wire
from hopback.lab.steps import Refused, Step
from hopback.lab.uplink import active_steps, cable, far_bond_steps

Kind = Literal["silent", "switch", "reflector", "two-link-loop", "lag", "no-lag"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SERVER = "server"

_SWITCH = "type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
_LINKS = (0, 1)

# A shaper keeps a storm alive but slow; without it two links carry 100 000 frames a second, and a
# reflector that faces a hairpin port even more.
SHAPER = "root tbf rate 100kbit burst 2kb limit 10kb"


class Neighbour(Struct, frozen=True):
    """The far side of one way out.

    ``server`` is the (space, device) at which a server is reached, ``wire`` the device whose frames
    come to the host without detour, ``returns`` whether frames come back by the same way,
    ``rings`` whether they do for ever, the switch's own table being wrong too. ``late`` steps are
    for when the links are up.
    """

    kind: Kind
    space: str
    spaces: tuple[str, ...]
    steps: tuple[Step, ...]
    stir: tuple[Step, ...]
    calm: tuple[Step, ...]
    server: tuple[str, str]
    wire: str = FAR
    late: tuple[Step, ...] = ()

    @property
    def returns(self) -> bool:
        """Whether what goes out comes in again."""
        return self.kind in ("reflector", "two-link-loop")

    @property
    def rings(self) -> bool:
        """Whether it never ends, and the neighbour's own tables are wrong as well."""
        return self.kind == "two-link-loop"


def neighbour(kind: Kind, wire: Wire, space: str, server: Mac | None) -> Neighbour:
    """The neighbour of ``wire``, in ``space``; with the server of that address if it is there.

    Refused if it is not for such a bond.
    """
    steps: list[Step] = []
    spaces: list[str] = []
    bond = wire.uplink.bond if wire.uplink else None
    ends = [FAR]
    if bond is not None and kind == "no-lag":
        ends = [cable(index) for index in range(len(bond.legs))]
    elif bond is not None:
        if kind == "lag" and bond.mode in CHOSEN:
            what = f"{bond.id.name} is a bond in {bond.mode} mode, which no LAG suits"
            raise Refused(f"{what}: use --uplink no-lag or switch")
        steps += far_bond_steps(bond, space, FAR)
    reached = (space, FAR)
    if kind == "silent":
        if server is not None:
            line = f"link set dev {FAR} address {format_mac(server)}"
            steps.append(Step(space, "ip", line, "the server is the other end of the wire"))
    else:
        steps += _switch(space, ends)
        if server is not None:
            spaces.append(SERVER)
            reached = (SERVER, GUEST_DEVICE)
            steps += _attach(space, server)
    if kind == "reflector":
        steps.append(_shaped(space, FAR))
    if kind == "no-lag":
        steps += _ports(space, bond)
    if kind == "two-link-loop":
        steps += _second_switch(space)
    return Neighbour(
        kind=kind,
        space=space,
        spaces=tuple(spaces),
        steps=tuple(steps),
        stir=tuple(_returning(kind, space, ends, on=True)),
        calm=tuple(_returning(kind, space, ends, on=False)),
        server=reached,
        wire=FAR if bond is None else cable(_entered(bond)),
        late=tuple(
            active_steps(bond, HOST, space, FAR if kind != "no-lag" else None) if bond else ()
        ),
    )


def _entered(bond: BondState) -> int:
    """The number of the leg by which the model lets frames come in."""
    return [leg.id for leg in bond.legs].index(taking_leg(bond))


def _ports(space: str, bond: BondState | None) -> Iterator[Step]:
    for index, leg in enumerate(bond.legs if bond else ()):
        if not leg.up:
            line = f"link set dev {cable(index)} down"
            yield Step(space, "ip", line, "no link, as recorded")
        yield _shaped(space, cable(index))
        yield _isolated(space, cable(index), on=True)


def _isolated(space: str, port: str, on: bool) -> Step:
    why = "the legs' ports are kept apart" if on else "it carries frames from leg to leg"
    return Step(space, "bridge", f"link set dev {port} isolated {'on' if on else 'off'}", why)


def _switch(space: str, ends: Sequence[str]) -> Iterator[Step]:
    yield Step(space, "ip", f"link add name outer up {_SWITCH}", "the switch outside")
    for end in ends:
        yield Step(space, "ip", f"link set dev {end} master outer up", "the wire ends on it")


def _attach(space: str, server: Mac) -> Iterator[Step]:
    far = f"{GUEST_DEVICE} address {format_mac(server)} netns {SERVER} up"
    yield Step(space, "ip", f"link add name {far} type veth peer name srv", "the server")
    yield Step(space, "ip", "link set dev srv master outer up")


def _second_switch(space: str) -> Iterator[Step]:
    yield Step(space, "ip", f"link add name second up {_SWITCH}", "the switch behind the switch")
    for n in _LINKS:
        yield Step(
            space, "ip", f"link add name near{n} type veth peer name far{n}", "a link, not up"
        )
        yield Step(space, "ip", f"link set dev near{n} master outer")
        yield Step(space, "ip", f"link set dev far{n} master second up")
    for n in _LINKS:
        for end in ("near", "far"):
            yield _shaped(space, f"{end}{n}")


def _shaped(space: str, device: str) -> Step:
    return Step(space, "tc", f"qdisc add dev {device} {SHAPER}", "so that a storm stays a breeze")


def _returning(kind: Kind, space: str, ends: Sequence[str], on: bool) -> Iterator[Step]:
    if kind == "reflector":
        why = "it returns what it gets" if on else "it keeps what it gets"
        yield Step(space, "bridge", f"link set dev {FAR} hairpin {'on' if on else 'off'}", why)
    if kind == "no-lag" and len(ends) > 1:
        for end in ends:
            yield _isolated(space, end, on=not on)
    if kind == "two-link-loop":
        for n in _LINKS:
            why = "the ring is closed" if on else "the ring is cut"
            yield Step(space, "ip", f"link set dev near{n} {'up' if on else 'down'}", why)
