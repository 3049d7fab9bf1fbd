"""The plan of a lab, as data that can cross to another process or another kernel as JSON.

Steps are lines of iproute2, nft and sysctl, so that a plan can be read, and typed, by a person.
"""

from typing import Literal, get_args

import msgspec
from msgspec import Struct

from hopback.lab.modules import needed

Tool = Literal["ip", "bridge", "tc", "nft", "sysctl", "ipvsadm", "iptables"]

Facility = Literal["bonding", "8021q", "ipv6", "nf_tables", "nf_tables_ip", "br_netfilter", "ip_vs"]
"""What not every kernel has, and a lab can do without.

8021q stands for VLAN filtering too, nf_tables for nft and its bridge family, nf_tables_ip for the
other families.
"""

FACILITIES: tuple[Facility, ...] = get_args(Facility)

COPIES_MAX = 8
SECONDS_MAX = 60.0
MEMORY_MAX = 1 << 30


class Refused(Exception):
    """The lab cannot be: one sentence that says why, and what to install or to leave out.

    ``denied``: for lack of privilege or of a kernel facility, not because of the source.
    """

    def __init__(self, sentence: str, *, denied: bool = False) -> None:
        super().__init__(sentence)
        self.denied = denied


class Step(Struct, frozen=True):
    """One line for ``tool`` in the namespace ``space``, and what it stands for.

    iproute2's tools and nft take all lines of one kind at once (``-batch``, ``-f``). A line of
    sysctl is ``key=value``, the key with slashes: a device's name may have dots. Lines of ipvsadm
    and iptables are arguments.
    """

    space: str
    tool: Tool
    line: str
    why: str = ""


class Spot(Struct, frozen=True):
    """An observed device. ``label`` is unique in the plan: what scenes and sights call it."""

    label: str
    space: str
    device: str


class Send(Struct, frozen=True):
    """A frame sent by the device at spot ``at``.

    ``after`` names the message that must have come in there before (None: sent at once); then the
    sender takes ``delay`` seconds.
    """

    message: str
    at: str
    frame: bytes
    after: str | None = None
    delay: float = 0.0


class Detect(Struct, frozen=True):
    """The stack of the device at spot ``at`` gets an address, and looks whether others have it.

    ``message`` is what its probes for the address are called.
    """

    message: str
    at: str
    address: str
    prefix_len: int = 64


class Ping(Struct, frozen=True):
    """The stack of the device at spot ``at`` sends ``packet``, an echo request, to ``target``."""

    message: str
    at: str
    target: str
    packet: bytes


class Scene(Struct, frozen=True):
    """Something that is played and watched: ``before`` prepares it, ``afterwards`` calms it down.

    First the ``sends``, then one after the other the ``detects``, then the ``pings``. A message
    that is awaited longer than ``patience`` seconds ends the scene (an answer to a ping, the ping);
    ``settle`` seconds after the last frame the curtain falls. ``routed``: frames are known by what
    they carry, as routers change the rest; ``also`` are further messages to look for, by name: what
    they carry, and from which address.
    """

    name: str
    sends: tuple[Send, ...]
    before: tuple[Step, ...] = ()
    afterwards: tuple[Step, ...] = ()
    patience: float = 0.5
    settle: float = 0.02
    detects: tuple[Detect, ...] = ()
    pings: tuple[Ping, ...] = ()
    routed: bool = False
    also: tuple[tuple[str, bytes], ...] = ()


class Bonded(Struct, frozen=True):
    """A bond that is ready when just ``legs`` have a link, or with LACP take part."""

    space: str
    bond: str
    legs: tuple[str, ...]
    lacp: bool = False


class Plan(Struct, frozen=True):
    """A lab: its namespaces, what is built in them, what is watched, what is played.

    The ``late`` steps are taken when every link is up: a link that comes up forgets what was set.
    ``bonds`` are waited for before. ``bridges`` are (space, bridge) whose tables are read before
    and after each scene. Nothing lives longer than ``seconds``. Of a message no more than
    ``copies`` passings of one spot are kept: a storm has no end.
    """

    spaces: tuple[str, ...]
    steps: tuple[Step, ...]
    spots: tuple[Spot, ...]
    scenes: tuple[Scene, ...]
    bridges: tuple[tuple[str, str], ...]
    late: tuple[Step, ...] = ()
    bonds: tuple[Bonded, ...] = ()
    seconds: float = SECONDS_MAX
    copies: int = COPIES_MAX
    memory: int = MEMORY_MAX

    def needs(self) -> tuple[str, ...]:
        """The kernel modules that the steps use."""
        return needed(f"{step.tool} {step.line}" for step in self.every_step())

    def every_step(self) -> tuple[Step, ...]:
        """The steps of the building, then those of the scenes."""
        scenes = (step for s in self.scenes for step in (*s.before, *s.afterwards))
        return (*self.steps, *self.late, *scenes)


def encode_plan(plan: Plan) -> bytes:
    """The plan as JSON: one line, whose end tells that it is whole."""
    return msgspec.json.encode(plan) + b"\n"


def decode_plan(data: bytes) -> Plan:
    """The plan in ``data``; msgspec.ValidationError if it is none."""
    return msgspec.json.decode(data, type=Plan)
