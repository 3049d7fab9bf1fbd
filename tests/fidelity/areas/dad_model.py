"""The model's stations, played as ``tests.kernel.dad_rig`` plays the kernel's."""

from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import cast

from msgspec.structs import replace

from hopback.datapath.effects import Effect
from hopback.datapath.nd import dad
from hopback.datapath.nd.effects import Alter, Arm, Form, HostEffect, applied
from hopback.datapath.nd.receive import receive
from hopback.datapath.nd.settings import Told, settings_of
from hopback.datapath.nd.state import Interface, Own, Proxied
from hopback.datapath.skb import PacketType
from hopback.frames.build import dad_ns
from hopback.frames.ethernet import Frame
from hopback.frames.ipv6 import Ipv6
from hopback.frames.mac import is_group
from hopback.frames.nd import Ns
from hopback.network.facts import DevId
from tests.fidelity.mutants import Mutation, Spot, rule_of
from tests.fidelity.taps import KERNEL
from tests.kernel.dad_config import (
    EVERYBODY,
    NONCE,
    OWN,
    Settings,
    StationConfig,
    existing,
    frame_of,
    given_address,
    placed,
    station_mac,
    station_name,
)
from tests.kernel.dad_rig import Listed, plain, renamed

_STEPS_MAX = 100
_WORDS = ("tentative", "optimistic", "deprecated", "temporary", "nodad")


class ModelStation:
    """One station: its interface between two frames, and what it has sent so far."""

    def __init__(
        self, index: int, everybody: Settings, config: StationConfig, mutation: Mutation
    ) -> None:
        self.index = index
        self.config = config
        self.sent: list[bytes] = []
        self.fired: set[str] = set()
        self._mutation = mutation
        self._due: list[Arm | Form] = []
        self._probed: list[IPv6Address] = []
        self._last = given_address(index, config)
        self.interface = self._new(everybody)

    def _new(self, everybody: Settings) -> Interface:
        name = station_name(self.index)
        shared = existing({**EVERYBODY, **dict(everybody)})
        values = {f"net.ipv6.{key.replace('/', '.')}": value for key, value in shared.items()}
        own = existing({**OWN, **dict(self.config.settings), "addr_gen_mode": self.config.mode})
        values |= {f"net.ipv6.conf.{name}.{k}": v for k, v in own.items()}
        values |= {f"net.ipv6.conf.{name}.router_solicitation_delay": 0}
        values |= {f"net.ipv6.neigh.{name}.proxy_delay": 0, "net.ipv6.idgen_delay": 0}
        settings = settings_of(
            name, KERNEL, lambda key: Told(values[key]) if key in values else None
        )
        proxied = {placed(self.index, address): Proxied() for address in self.config.proxied}
        dev = DevId("", "", name)
        return Interface(dev, station_mac(self.index), settings, {}, proxied, kernel=KERNEL)

    def run(self) -> None:
        if self.config.given is not None and self.config.mode == 1:
            self._take(dad.begin(self.interface, {}, self._given(), NONCE))
        else:
            self._take(dad.formed_at_up(self.interface))
        self._settle(waiting=self.config.finish)
        for heard in self.config.heard:
            frame = frame_of(heard, self.index, self._last, NONCE)
            type_: PacketType = "multicast" if is_group(frame.dst) else "host"
            self._take(receive(self.interface, {}, frame, type_), frame)
            self._settle(waiting=False)

    def addresses(self) -> Listed:
        made = self.config.mode > 1
        listed = (
            (renamed(address, self._probed) if made else str(address), _words(own))
            for address, own in self.interface.addresses.items()
        )
        return tuple(sorted(listed))

    def _given(self) -> Own:
        flags = self.config.flags
        return Own(
            given_address(self.index, self.config),
            optimistic="optimistic" in flags and self.interface.settings.optimistic,
            nodad="nodad" in flags,
            deprecated=self.config.deprecated,
            permanent=not self.config.dynamic,
        )

    def _settle(self, *, waiting: bool) -> None:
        """Do what is due at once, or (``waiting``) all there is."""
        for _ in range(_STEPS_MAX):
            now = [d for d in self._due if waiting or not _wait(d)]
            if not now:
                return
            self._due.remove(now[0])
            self._do(now[0])

    def _do(self, due: Arm | Form) -> None:
        if isinstance(due, Arm):
            self._take(dad.work(self.interface, due.address))
            return
        own = due.own
        if own.stable:
            own = replace(own, address=own.address + 0x1000 + own.retries)
        self._take(dad.begin(self.interface, {}, own, NONCE))

    def _take(self, effects: Sequence[HostEffect], frame: Frame | None = None) -> None:
        self.fired.update(filter(None, (rule_of(cast("Effect", effect)) for effect in effects)))
        heard = frame or dad_ns(self.interface.mac, self._last)
        spot = Spot(self.interface.dev, self.interface.dev, heard)
        # A mutant knows only what a rule's opposite is, not what kind of stage it is in.
        changed = self._mutation(cast("Sequence[Effect]", effects), spot)
        for effect in cast("Sequence[HostEffect]", changed):
            self._apply(effect)

    def _apply(self, effect: HostEffect) -> None:
        self.interface = applied(self.interface, effect)
        name = type(effect).__name__
        if isinstance(effect, Arm | Form):
            self._due.append(effect)
        elif name == "Send":
            self._note(effect.frame)  # type: ignore[union-attr]
        elif name not in ("Alter", "Log", "Drop", "Meet", "Disable"):
            self.sent.append(f"{name}, which no kernel does here".encode())
        if isinstance(effect, Alter) and effect.after is None:
            self._due = [d for d in self._due if isinstance(d, Form) or d.address != effect.address]

    def _note(self, frame: Frame) -> None:
        packet = frame.payload
        assert isinstance(packet, Ipv6)
        if isinstance(packet.payload, Ns):
            self._last = packet.payload.target
            if self._last not in self._probed:
                self._probed.append(self._last)
        self.sent.append(plain(frame, self._probed if self.config.mode > 1 else None))


def _wait(due: Arm | Form) -> int:
    return due.least if isinstance(due, Arm) else due.delay


def _words(own: Own) -> tuple[str, ...]:
    words = {word for word in _WORDS if getattr(own, word)}
    if own.failed:
        words.add("dadfailed")
    if own.stable:
        words.add("stable-privacy")
    if not own.permanent:
        words.add("dynamic")
    return tuple(sorted(words))
