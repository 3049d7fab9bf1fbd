"""What is played: each message by itself against the recorded tables, then the story as it lives.

Frames and their order come from the model's own exchange, so that both sides see the same bytes.
"""

from collections.abc import Callable, Iterator, Sequence

from msgspec import Struct

from hopback.engines.dhcp import Exchange, Leg
from hopback.engines.probe import Probe
from hopback.frames.codec import decode, encode
from hopback.frames.ethernet import Frame
from hopback.frames.mac import BROADCAST, Mac, mac_to_bytes
from hopback.lab.steps import Scene, Send, Step

LIVE = "live"
FIXED = "fixed"
HELLO = "hello"
HOST_SPEAKS = "host speaks"

_LOCAL_EXPERIMENTAL = b"\x88\xb5"  # IEEE 802, local experimental ethertype 1
_ECHO_SECONDS = 0.05
_SERVER_SECONDS = 0.05  # a server takes a moment, and in that moment the table goes wrong
_SETTLE = 0.02


class Cast(Struct, frozen=True):
    """Who plays, by the labels of spots.

    ``wire`` is where the server's frames come from when its own place is left out: the far end of
    the way out, or the bridge device for a server on the host.
    """

    guest: str
    server: str
    wire: str


def recorded_name(message: str) -> str:
    """The name of the scene that plays ``message`` against the recorded tables."""
    return f"recorded {message}"


def fixed_name(message: str) -> str:
    """The name of the scene that plays ``message`` with the remedy in place."""
    return f"fixed {message}"


def recorded_scenes(exchange: Exchange, cast: Cast, tables: tuple[Step, ...]) -> Iterator[Scene]:
    """One scene for each message; ``tables`` puts back what the one before has taught."""
    for leg in exchange.legs:
        at = cast.wire if _from_server(leg) else cast.guest
        send = Send(leg.message, at, _bytes(leg))
        yield Scene(recorded_name(leg.message), (send,), before=tables, settle=_SETTLE)


def probe_scenes(
    probes: Sequence[Probe], cast: Cast, tables: tuple[Step, ...], name: Callable[[str], str]
) -> Iterator[Scene]:
    """One scene for each of the guest's own probes: does it hear itself?"""
    for probe in probes:
        send = Send(probe.kind, cast.guest, encode(probe.trace.hops[0].frame))
        yield Scene(name(probe.kind), (send,), before=tables, settle=_SETTLE)


def story(
    name: str,
    exchange: Exchange,
    cast: Cast,
    before: tuple[Step, ...],
    afterwards: tuple[Step, ...],
) -> Scene:
    """The guest says something, then asks for a lease; every answer waits for its question."""
    sends = [Send(HELLO, cast.guest, hello(exchange.station.mac))]
    heard: str | None = None
    for leg in exchange.legs:
        server = _from_server(leg)
        delay = _ECHO_SECONDS if heard is None else _SERVER_SECONDS if server else 0.0
        at = cast.server if server else cast.guest
        sends.append(Send(leg.message, at, _bytes(leg), after=heard, delay=delay))
        heard = leg.message
    return Scene(name, tuple(sends), before, afterwards, settle=_SETTLE)


def hello(mac: Mac) -> bytes:
    """A broadcast that nobody answers."""
    return mac_to_bytes(BROADCAST) + mac_to_bytes(mac) + _LOCAL_EXPERIMENTAL + bytes(46)


def host_scene(
    mac: Mac, bridge: str, before: tuple[Step, ...], afterwards: tuple[Step, ...]
) -> Scene:
    """The host itself says something: does its bridge hear its own address?"""
    send = Send("HOST", bridge, encode(host_frame(mac)))
    return Scene(HOST_SPEAKS, (send,), before, afterwards, settle=_ECHO_SECONDS)


def host_frame(mac: Mac) -> Frame:
    """A broadcast of the host's that no bond takes for ARP."""
    return decode(hello(mac))


def server_mac(exchange: Exchange) -> Mac:
    """The address the server's messages come from."""
    return next(leg.trace.hops[0].frame.src for leg in exchange.legs if _from_server(leg))


def _from_server(leg: Leg) -> bool:
    return leg.message in ("OFFER", "ACK")


def _bytes(leg: Leg) -> bytes:
    return encode(leg.trace.hops[0].frame)
