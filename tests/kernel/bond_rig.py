"""A bond whose legs are taps, to be asked which frames it takes and by which leg it sends.

As with the bridge's rig nothing is waited for but the bond itself, until its legs are what they
are to be. With LACP the rig plays the switch.
"""

import json
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from hopback.frames.mac import Mac, format_mac, mac_to_bytes
from hopback.lab.netns.namespace import Namespace
from hopback.lab.netns.observer import ETH_P_ALL, Observer, Seen
from tests.kernel.bridge_rig import TEST_ETHERTYPE
from tests.kernel.opened import Opened
from tests.kernel.rig import checked, wait_until
from tests.kernel.tap import drain, open_tap

BOND, BOND_VID, LEG_VID = "bond0", 5, 7
SLOW = 0x8809
"""The EtherType of LACP and of its markers."""

_SLOW_GROUP = bytes.fromhex("0180c2000002")
_OWN_TALK = (SLOW, 0x9000)  # LACP, and the frames by which balance-alb teaches switches
_IN_SYNC = 0x08
_READY = 0x3D  # active, aggregatable, in sync, collecting, distributing


def leg_mac(index: int) -> Mac:
    """The address that leg ``index`` is made with."""
    return Mac(0x0200_0000_0A00 + index)


@dataclass(frozen=True)
class BondConfig:
    """A bond. ``down`` have no carrier. ``partners``: for each leg the system that answers LACP."""

    mode: str
    legs: int = 2
    policy: str = "layer2"
    active: int | None = None
    all_active: bool = False
    down: tuple[int, ...] = ()
    bridged: bool = False
    partners: tuple[int | None, ...] = ()


class Observation(NamedTuple):
    """Frames by leg that left, and by device that took them, as it saw them."""

    egress: Mapping[int, tuple[bytes, ...]]
    taken: Mapping[str, tuple[Seen, ...]]


class KernelBond(Opened):
    """The bond ``config`` in a namespace of its own, from ``__enter__`` to ``__exit__``.

    ``bond0.5`` is a VLAN device on the bond, ``l0.7`` one on its first leg.
    """

    def __init__(self, config: BondConfig) -> None:
        self._config = config

    def _enter(self, undo: ExitStack) -> None:
        self._space = Namespace.anonymous()
        undo.callback(self._space.close)
        self._taps = [
            open_tap(undo, self._space, leg, carrier=index not in self._config.down)
            for index, leg in enumerate(self._legs())
        ]
        self._run("ip", "-batch", "-", script="\n".join(self._orders()))
        wait_until(self._settled, f"the legs of {self._config}")
        named = (BOND, f"{BOND}.{BOND_VID}", f"l0.{LEG_VID}")
        self._named = {name: self._observer(undo, name, ETH_P_ALL) for name in named}
        # A frame that a leg hands on has another device by then; one that only sockets bound
        # to the leg may see does not come here at all.
        self._kept = [self._observer(undo, "", kind) for kind in (TEST_ETHERTYPE, SLOW)]
        for tap in self._taps:
            self._drained(tap)

    def listings(self) -> tuple[str, str]:
        """What the bond's own file says of it, and that with what ``ip`` says, as pastes."""
        links = self._run("ip", "-d", "link", "show")
        with self._space:
            proc = Path(f"/proc/thread-self/net/bonding/{BOND}").read_text()
        told = f"k# cat /proc/net/bonding/{BOND}\n{proc}"
        return told, f"k# ip -d link show\n{links}{told}"

    def play(self, frames: Sequence[tuple[int | str, bytes]]) -> Observation:
        """Frames one after another: in by a leg (its number), or out by a device (its name)."""
        for at, frame in frames:
            if isinstance(at, str):
                self._named[at].send(frame)
            else:
                os.write(self._taps[at], frame)
        egress = {index: self._drained(tap) for index, tap in enumerate(self._taps)}
        taken: dict[str, list[Seen]] = {
            name: observer.take() for name, observer in self._named.items()
        }
        for stamped in sorted(s for observer in self._kept for s in observer.take_stamped()):
            if stamped.device in self._legs():
                taken.setdefault(stamped.device, []).append(stamped.seen)
        return Observation(
            {index: seen for index, seen in egress.items() if seen},
            {name: tuple(seen) for name, seen in taken.items() if seen},
        )

    def _legs(self) -> list[str]:
        return [f"l{index}" for index in range(self._config.legs)]

    def _orders(self) -> Iterator[str]:
        config = self._config
        options = f"mode {config.mode} miimon 10 all_slaves_active {int(config.all_active)}"
        if config.mode not in ("active-backup", "balance-rr", "broadcast"):
            options += f" xmit_hash_policy {config.policy}"
        if config.mode in ("balance-tlb", "balance-alb"):
            options += " tlb_dynamic_lb 0"
        yield f"link add {BOND} type bond {options}"
        for index, leg in enumerate(self._legs()):
            yield f"link set {leg} address {format_mac(leg_mac(index))}"
            yield f"link set {leg} master {BOND}"
        yield f"link set {BOND} up"
        for lower, vid in ((BOND, BOND_VID), ("l0", LEG_VID)):
            yield f"link add link {lower} name {lower}.{vid} type vlan id {vid}"
            yield f"link set {lower}.{vid} up"
        if config.active is not None:
            yield f"link set {BOND} type bond active_slave l{config.active}"
        if config.bridged:
            yield "link add br0 type bridge mcast_snooping 0 forward_delay 0"
            yield f"link set {BOND} master br0"
            yield "link set br0 up"

    def _settled(self) -> bool:
        """Whether every leg is what it is to be; meanwhile the switch answers LACP."""
        for index, partner in enumerate(self._config.partners):
            if partner is not None:
                self._answer(index, partner)
        told = self._told()
        up = [t["mii_status"] == "UP" for t in told]
        if up != [index not in self._config.down for index in range(self._config.legs)]:
            return False
        if self._config.mode != "802.3ad":
            return True
        chosen = joined(self._config)
        synced = [bool(t["ad_actor_oper_port_state"] & _IN_SYNC) for t in told]
        active = [t["state"] == "ACTIVE" for t in told]
        return active == list(chosen) and (not self._config.partners or synced == list(chosen))

    def _told(self) -> list[dict[str, Any]]:
        links = json.loads(self._run("ip", "-d", "-j", "link", "show", "master", BOND))
        told = {link["ifname"]: link["linkinfo"]["info_slave_data"] for link in links}
        return [told[leg] for leg in self._legs()]

    def _answer(self, index: int, partner: int) -> None:
        for frame in drain(self._taps[index]):
            if frame[12:16] == SLOW.to_bytes(2, "big") + b"\x01\x01":
                os.write(self._taps[index], _lacpdu(frame, index, partner))

    def _drained(self, tap: int) -> tuple[bytes, ...]:
        """What left by a leg, without what the bond says by itself."""
        own = [kind.to_bytes(2, "big") for kind in _OWN_TALK]
        return tuple(frame for frame in drain(tap) if _ethertype(frame) not in own)

    def _observer(self, undo: ExitStack, device: str, protocol: int) -> Observer:
        observer = Observer(self._space, device, outgoing=False, protocol=protocol)
        undo.callback(observer.close)
        return observer

    def _run(self, *argv: str, script: str | None = None) -> str:
        with self._space:
            return checked([*argv], script)


def joined(config: BondConfig) -> tuple[bool, ...]:
    """The legs that LACP lets take part: those of the best aggregator, the first among equals.

    An aggregator with a partner is better than one without, one with more legs than one with
    fewer; without any partner it is one leg alone (bond_3ad.c:ad_agg_selection_test).
    """
    if config.mode != "802.3ad":
        return (True,) * config.legs
    partners = config.partners or (None,) * config.legs
    if all(partner is None for partner in partners):
        return tuple(index == 0 for index in range(config.legs))
    best = next(partner for partner in partners if partner is not None)
    return tuple(partner == best for partner in partners)


def _lacpdu(heard: bytes, index: int, partner: int) -> bytes:
    """The switch's answer to the LACPDU ``heard`` (IEEE 802.1AX §6.4.2.3)."""
    system = mac_to_bytes(Mac(0x0200_0000_5000 + partner))
    own = struct.pack("!H6sHHHB3x", 0x8000, system, 1 + partner, 0x80, 1 + index, _READY)
    theirs = heard[18:36]  # what its actor says of itself
    body = b"\x01\x01\x01\x14" + own + b"\x02\x14" + theirs + b"\x03\x10" + bytes(14)
    return _SLOW_GROUP + system + SLOW.to_bytes(2, "big") + body + bytes(2 + 50)


def _ethertype(frame: bytes) -> bytes:
    return frame[16:18] if frame[12:14] == b"\x81\x00" else frame[12:14]
