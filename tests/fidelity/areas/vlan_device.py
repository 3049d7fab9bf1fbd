"""VLAN devices on a bridge port: who takes a tagged frame, and what goes down with a tag."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from hopback.datapath.model import Model
from hopback.frames.mac import Mac, format_mac, mac_to_bytes, parse_mac
from tests.build import BRIDGE as BRIDGE_KIND
from tests.build import TUN, link, links, listing, model
from tests.fidelity.area import Prediction, Result, received
from tests.fidelity.mutants import Mutation
from tests.fidelity.shrink import fewer
from tests.fidelity.walk import Walk
from tests.kernel.bridge_rig import BRIDGE, BRIDGE_MAC, TEST_ETHERTYPE, port_mac
from tests.kernel.refusal import refusal
from tests.kernel.vlan_device_rig import DEVICES, PORTS, VlanDeviceBridge

FRAMES = 30

_STATIONS = tuple(Mac(0x0200_0000_0100 + i) for i in range(3))
_OWN = (*{device.mac for device in DEVICES}, port_mac(0), port_mac(1), BRIDGE_MAC)
_GROUPS = tuple(
    parse_mac(text) for text in ("ff:ff:ff:ff:ff:ff", "01:00:5e:7f:01:02", "33:33:ff:00:00:11")
)
_TAGS = tuple(
    bytes.fromhex(tags)
    for tags in (
        *("", "", "81000005", "81006005", "81000007", "88a80005"),
        *("81000009", "8100e000", "88a80007", "8100000581000007", "88a8000581000005"),
    )
)


@dataclass(frozen=True)
class VlanDeviceCase:
    """Frames by the port they come in by, or by any other device that the host sends by."""

    frames: tuple[tuple[str, bytes], ...] = ()


class VlanDeviceArea:
    """One bridge of two taps; the first has three VLAN devices."""

    name = "vlan-device"
    rules = frozenset({"vlan-up", "vlan-down"})
    enumerated: Sequence[VlanDeviceCase] = ()
    not_covered = (
        "VLAN devices on VLAN devices, on a bond's legs and on a bridge itself",
        "reorder_hdr off, and priorities mapped by the device",
        "a VLAN device that is down",
    )

    def refusal(self) -> str | None:
        if reason := refusal():
            return reason
        try:
            with VlanDeviceBridge():
                return None
        except Exception as error:  # whatever the kernel lacks
            return f"no VLAN devices: {str(error).splitlines()[0]}"

    def generate(self, chance: Random) -> VlanDeviceCase:
        return random_case(chance)

    def smaller(self, case: VlanDeviceCase) -> Iterator[VlanDeviceCase]:
        return (replace(case, frames=frames) for frames in fewer(case.frames))

    @contextmanager
    def kernel(self) -> Iterator[Callable[[VlanDeviceCase], Result]]:
        with VlanDeviceBridge() as bridge:

            def run(case: VlanDeviceCase) -> Result:
                egress, local = bridge.hear(case.frames)
                return Result(
                    egress,
                    {name: received(seen) for name, seen in local.items()},
                )

            yield run

    def model(self, case: VlanDeviceCase, mutation: Mutation) -> Prediction:
        run = Walk(_model(), mutation, frozenset(PORTS))
        for name, raw in case.frames:
            if name in PORTS:
                run.receive(name, raw)
            else:
                run.send(name, raw)
        return run.prediction()


AREA = VlanDeviceArea()


def random_case(chance: Random) -> VlanDeviceCase:
    """``FRAMES`` frames with any tags, from both ports and by every device."""
    senders = (PORTS[0], PORTS[0], *PORTS, BRIDGE, *(device.name for device in DEVICES))
    frames = ((chance.choice(senders), _frame(chance, number)) for number in range(FRAMES))
    return VlanDeviceCase(tuple(frames))


def _frame(chance: Random, number: int) -> bytes:
    source = chance.choice((*_STATIONS, *_STATIONS, *_OWN))
    target = chance.choice((*_STATIONS, *_OWN, *_GROUPS))
    head = mac_to_bytes(target) + mac_to_bytes(source) + chance.choice(_TAGS)
    body = number.to_bytes(4, "big").ljust(46, b"\0")
    return head + TEST_ETHERTYPE.to_bytes(2, "big") + body


@cache
def _model() -> Model:
    first, second = (format_mac(port_mac(index)) for index in range(2))
    bridge = format_mac(BRIDGE_MAC)
    return model(
        links(
            link(2, PORTS[0], first, TUN, master=BRIDGE, port=""),
            link(3, PORTS[1], second, TUN, master=BRIDGE, port=""),
            link(4, BRIDGE, bridge, f"{BRIDGE_KIND} mcast_snooping 0"),
            *(
                link(
                    5 + index,
                    f"{device.name}@{PORTS[0]}",
                    format_mac(device.mac),
                    f"vlan protocol {device.protocol} id {device.vid} <REORDER_HDR>",
                )
                for index, device in enumerate(DEVICES)
            ),
        )
        + listing(
            f"bridge fdb show br {BRIDGE}",
            [
                f"{first} dev {PORTS[0]} master {BRIDGE} permanent",
                f"{second} dev {PORTS[1]} master {BRIDGE} permanent",
            ],
        )
    )
