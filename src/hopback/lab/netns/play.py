"""Plays the scenes of a plan in its lab, and watches."""

import fcntl
import os
import select
import socket
import struct
import time
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator
from contextlib import closing
from ipaddress import IPv6Address

from hopback.frames.codec import decode
from hopback.frames.identity import payload_identity
from hopback.lab.netns.build import Lab
from hopback.lab.netns.kernel_log import KernelLog
from hopback.lab.netns.observer import Observer, PacketType, Stamped
from hopback.lab.netns.stack import ECHO_HEADER, Echo, Pinger, said
from hopback.lab.observed import (
    AddressPhase,
    Detected,
    Pinged,
    SceneSeen,
    Sight,
    Way,
    answer_to,
)
from hopback.lab.steps import Detect, Ping, Plan, Refused, Scene, Send, Spot, Step

SIOCGIFFLAGS = 0x8913
IFF_RUNNING = 0x40

_IFREQ = struct.Struct("16sH22x")
_BUFFER = 8 << 20
_AT_ONCE = 512
_CANARY_SECONDS = 1.0
_DRAIN_SECONDS = 5.0
_DETECT_SECONDS = 5.0
_LOOK = 0.02
_TAGS = (b"\x81\x00", b"\x88\xa8")

# A pause frame to the reserved address: every bridge drops it before it learns or forwards
# (net/bridge/br_input.c:br_handle_frame), and observers come before the bridge.
_CANARY = bytes.fromhex("0180c20000010200000000ca88b5") + b"hopback canary "


class Stage:
    """One observer for each watched namespace, and a way to send from every device in it."""

    def __init__(self, lab: Lab, plan: Plan, log: KernelLog | None = None) -> None:
        self._lab = lab
        self._log = log
        self._spots = {(s.space, s.device): s for s in plan.spots}
        self._by_label = {s.label: s for s in plan.spots}
        self._copies = plan.copies
        watched = dict.fromkeys(s.space for s in plan.spots)
        self.observers = {name: Observer(lab.spaces[name], "") for name in watched}
        self._senders = {name: _sender(lab, name) for name in watched}
        for observer in self.observers.values():
            observer.enlarge(_BUFFER)

    def play(self, scene: Scene) -> SceneSeen:
        """Prepare, send, watch, calm down."""
        self._lab.take(scene.before)
        self._lab.wait_for_forwarding()
        before = self._lab.tables()
        if self._log:
            self._log.clear()
        self._gather(0)
        for observer in self.observers.values():
            observer.dropped()
        script = _Script(scene, time.time_ns(), self._copies)
        deaf = self._canaries(script)
        self._perform(script)
        after = self._lab.tables()
        self._lab.take(scene.afterwards)
        self._drain(script)
        deaf |= self._canaries(script)
        return SceneSeen(
            name=scene.name,
            sights=tuple(sorted(script.sights, key=lambda sight: sight.at)),
            before=before,
            after=after,
            strangers=script.strangers,
            deaf=tuple(sorted(deaf)),
            lost=sum(observer.dropped() for observer in self.observers.values()),
            uncounted=script.uncounted,
            log=self._log.lines() if self._log else None,
            detected=tuple(script.detected),
            pinged=tuple(script.pinged),
        )

    def _perform(self, script: "_Script") -> None:
        for send in script.scene.sends:
            if send.after is not None and not self._await(script, send):
                break
            self._watch(script, send.delay)
            self._send(self._by_label[send.at], send.frame)
            self._watch(script, 0)
        for detect in script.scene.detects:
            self._detect(script, detect)
        for ping in script.scene.pings:
            self._ping(script, ping)
        self._watch(script, script.scene.settle)

    def _detect(self, script: "_Script", detect: Detect) -> None:
        """Give the address to the device, and watch until its detection is over."""
        spot = self._by_label[detect.at]
        script.listen_for(IPv6Address(detect.address), detect.message)
        line = f"address add {detect.address}/{detect.prefix_len} dev {spot.device}"
        self._lab.take([Step(spot.space, "ip", line)])
        end = time.monotonic() + _DETECT_SECONDS
        phase: AddressPhase = "tentative"
        while phase == "tentative" and time.monotonic() < end:
            self._watch(script, _LOOK)
            phase = self._lab.phase(spot, detect.address)
        script.detected.append(Detected(detect.message, phase))

    def _ping(self, script: "_Script", ping: Ping) -> None:
        """Let the stack ask, and watch until somebody answers."""
        body = ping.packet[ECHO_HEADER:]
        script.listen_for(Echo(reply=False, body=body), ping.message)
        script.listen_for(Echo(reply=True, body=body), answer_to(ping.message))
        by = None
        with closing(Pinger(self._lab.spaces[self._by_label[ping.at].space], ping)) as pinger:
            end = time.monotonic() + script.scene.patience
            while by is None and time.monotonic() < end:
                self._watch(script, _LOOK)
                by = pinger.answered_by()
        script.pinged.append(Pinged(ping.message, by))

    def _send(self, spot: Spot, frame: bytes) -> None:
        try:
            self._senders[spot.space].sendto(frame, (spot.device, 0))
        except OSError as error:
            raise Refused(f"{spot.label} cannot send: {error.strerror}") from error

    def _await(self, script: "_Script", send: Send) -> bool:
        end = time.monotonic() + script.scene.patience
        while (send.at, send.after) not in script.heard:
            if time.monotonic() > end:
                return False
            self._note(script, self._gather(0.01))
        return True

    def _watch(self, script: "_Script", seconds: float) -> None:
        end = time.monotonic() + seconds
        while True:
            self._note(script, self._gather(max(0.0, end - time.monotonic())))
            if time.monotonic() >= end:
                return

    def _drain(self, script: "_Script") -> None:
        """Read on until nothing is left: a storm fills the buffers, and a canary needs room."""
        end = time.monotonic() + _DRAIN_SECONDS
        while select.select(list(self.observers.values()), [], [], 0)[0]:
            self._note(script, self._gather(0))
            if time.monotonic() > end:
                return

    def _gather(self, seconds: float) -> list[tuple[Spot, Stamped]]:
        """What is there, having waited for it for ``seconds`` at most."""
        select.select(list(self.observers.values()), [], [], seconds)
        found = []
        for space, observer in self.observers.items():
            for stamped in observer.take_stamped(_AT_ONCE):
                spot = self._spots.get((space, stamped.device))
                if spot is not None:
                    found.append((spot, stamped))
        return found

    def _note(self, script: "_Script", found: Iterable[tuple[Spot, Stamped]]) -> set[str]:
        """Write down the frames of the scene; the spots at which a canary of its own passed."""
        singing = set()
        for spot, (at, _, seen) in found:
            if seen.frame.startswith(_CANARY):
                if seen.frame == script.canary(spot):
                    singing.add(spot.label)
                continue
            way: Way = "out" if seen.type is PacketType.OUTGOING else "in"
            script.note(spot.label, way, seen.frame, at)
        return singing

    def _canaries(self, script: "_Script") -> set[str]:
        """The spots where a frame that was certainly sent was not seen."""
        running = [spot for spot in self._spots.values() if self._runs(spot)]
        silent = {spot.label for spot in running}
        script.next_canary()
        for spot in running:
            self._send(spot, script.canary(spot))
        end = time.monotonic() + _CANARY_SECONDS
        while silent and time.monotonic() < end:
            silent -= self._note(script, self._gather(0.01))
        return silent

    def _runs(self, spot: Spot) -> bool:
        """Whether the device can send at all: a bridge none of whose ports forwards cannot."""
        asked = _IFREQ.pack(spot.device.encode(), 0)
        told = fcntl.ioctl(self._senders[spot.space], SIOCGIFFLAGS, asked)
        return bool(_IFREQ.unpack(told)[1] & IFF_RUNNING)


class _Script:
    """A scene being played: what was seen of it so far."""

    def __init__(self, scene: Scene, began: int, copies: int) -> None:
        self.scene = scene
        self.sights: list[Sight] = []
        self.heard: set[tuple[str, str | None]] = set()
        self.strangers = 0
        self.uncounted = 0
        self.detected: list[Detected] = []
        self.pinged: list[Pinged] = []
        self._began = began
        self._copies = copies
        self._passed: Counter[tuple[str, Way, str]] = Counter()
        self._names = {_untagged(send.frame): send.message for send in scene.sends}
        self._carried = dict(_carried(scene)) if scene.routed else {}
        self._of_stacks: dict[IPv6Address | Echo, str] = {}
        self._token = b""

    def next_canary(self) -> None:
        """From now on only canaries of another feather count."""
        self._token = os.urandom(8)

    def canary(self, spot: Spot) -> bytes:
        """The frame that is sent out of ``spot``, and of no other."""
        return (_CANARY + self._token + spot.label.encode()).ljust(60, b"\0")

    def listen_for(self, what: IPv6Address | Echo, message: str) -> None:
        """From now on what a stack says of that kind are frames of the scene."""
        self._of_stacks[what] = message

    def note(self, spot: str, way: Way, frame: bytes, at: int) -> None:
        """A frame that passed."""
        plain = _untagged(frame)
        message = self._names.get(plain)
        if message is None and self._carried:
            said_so, source = _carrying(plain)
            message = self._carried.get(said_so) or self._carried.get((said_so, source))
        if message is None and self._of_stacks:
            told = said(plain)
            message = self._of_stacks.get(told) if told else None
        if message is None:
            self.strangers += 1
            return
        if way == "in":
            self.heard.add((spot, message))
        self._passed[spot, way, message] += 1
        if self._passed[spot, way, message] > self._copies:
            self.uncounted += 1
            return
        self.sights.append(Sight(spot, way, message, at - self._began))


def _carried(scene: Scene) -> Iterator[tuple[Hashable, str]]:
    """What the messages of a scene carry, whoever routes them."""
    for send in scene.sends:
        yield _carrying(send.frame)[0], send.message
    for message, frame in scene.also:
        yield _carrying(frame), message


def _carrying(raw: bytes) -> tuple[Hashable, Hashable]:
    """What a frame carries, and the address that its packet comes from."""
    frame = decode(raw)
    return payload_identity(frame), getattr(frame.payload, "src", None)


def _untagged(frame: bytes) -> bytes:
    """A message is the same below a VLAN device, where it has a tag."""
    while frame[12:14] in _TAGS:
        frame = frame[:12] + frame[16:]
    return frame


def _sender(lab: Lab, space: str) -> socket.socket:
    with lab.spaces[space]:
        # Protocol 0: it hears nothing. It is not the observer's, which would not hear itself.
        return socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
