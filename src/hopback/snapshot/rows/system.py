"""The system: settings, identity, what was logged and captured."""

from typing import Literal

from hopback.frames.mac import Mac
from hopback.snapshot.rows.base import Row
from hopback.snapshot.rows.devices import PortStateName


class Sysctl(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A kernel setting, dots between the parts as ``sysctl`` prints it."""

    key: str
    value: str


class Kernel(Row, frozen=True, kw_only=True, omit_defaults=True):
    """The running kernel's release, e.g. ``6.1.0-18-amd64``."""

    release: str


class HostIdentity(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Who the host says it is (``hostnamectl``, /etc/machine-id). Evidence, never a key."""

    hostname: str | None = None
    machine_id: str | None = None
    boot_id: str | None = None


class OwnSource(Row, frozen=True, kw_only=True, omit_defaults=True):
    """``received packet on PORT with own address as source address`` (br_fdb.c:br_fdb_update).

    ``bridge`` is None in the oldest form (2.6), ``mac`` None before 4.14 or when blanked.
    """

    dev: str
    bridge: str | None = None
    mac: Mac | None = None
    vlan: int | None = None
    at: int | None = None  # ns, since boot or the epoch: only differences mean anything


class PortEvent(Row, frozen=True, kw_only=True, omit_defaults=True):
    """``BRIDGE: port N(DEV) entered STATE state`` (br_stp.c:br_log_state)."""

    bridge: str
    dev: str
    number: int
    state: PortStateName
    at: int | None = None


class Martian(Row, frozen=True, kw_only=True, omit_defaults=True):
    """``martian source TARGET from SOURCE, on dev DEV`` (route.c:ip_handle_martian_source).

    The addresses are text: logs are often shown with digits blanked.
    """

    dev: str
    source: str
    target: str
    at: int | None = None


TunnelLoopKind = Literal["own-route", "own-remote", "dead-loop"]


class TunnelLoop(Row, frozen=True, kw_only=True, omit_defaults=True):
    """The kernel complains of a packet that a tunnel was to send through itself.

    ``dead-loop``: it had been sent too often already, by several devices in turn. ``remote`` is
    where the message names it.
    """

    dev: str
    kind: TunnelLoopKind
    remote: str | None = None
    at: int | None = None


class LogLine(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Any other line of a log that names a network device or subsystem; kept as text."""

    text: str
    at: int | None = None


class Sighting(Row, frozen=True, kw_only=True, omit_defaults=True):
    """One frame that tcpdump printed.

    ``dev`` is None when neither the line nor the command names it. ``direction`` is "in" or "out"
    where the capture says so. ``key`` is what identifies the packet apart from time, TTL and
    checksums: two sightings with the same key on one device may be one packet seen twice.
    """

    at: int | None = None  # ns since midnight or the epoch: only differences mean anything
    dev: str | None = None
    direction: Literal["in", "out"] | None = None
    source_mac: Mac | None = None
    target_mac: Mac | None = None
    vlan: int | None = None
    source: str | None = None  # IP address
    target: str | None = None
    ttl: int | None = None
    length: int | None = None
    key: str = ""


PingSignKind = Literal["duplicate", "redirect", "ttl-exceeded", "unreachable", "no-reply"]


class PingSign(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Something other than plain replies that ping printed, once for each kind.

    ``target`` is what was pinged, ``peer`` who answered so, where the text tells. ``ttl`` is what
    ping was told to send with, 0 if it was told nothing, None if its command is not shown.
    """

    kind: PingSignKind
    target: str | None = None
    peer: str | None = None
    ttl: int | None = None


class TraceHop(Row, frozen=True, kw_only=True, omit_defaults=True):
    """Who answered at one distance of a traceroute, tracepath or mtr; one row for each.

    ``address`` is the router's name where no address is printed. ``sign`` is why it refused the
    packet ("!H", "!N", "!X" …), ``reached`` whether it is what was traced.
    """

    target: str | None = None
    distance: int
    address: str
    sign: str = ""
    reached: bool = False


class Unread(Row, frozen=True, kw_only=True, omit_defaults=True):
    """A listing that was recognised (or at least announced by its command) but is not understood.

    It keeps hopback from calling ``clear`` what it did not read.
    """

    what: str
