"""Duplicate detection behind a hairpin port: what virtual time comes to is what the kernel does.

The host and the guest are read live before the addresses are there; the story that is simulated is
then told to the kernel.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv6Address
from pathlib import Path

import pytest

from hopback.datapath.model import model_of
from hopback.datapath.nd.state import Own
from hopback.datapath.path import nic_of
from hopback.engines.simulate import Assign, Story, simulate
from hopback.frames.build import link_local
from hopback.frames.mac import format_mac, parse_mac
from hopback.network.build import build
from hopback.sources.live import read
from tests.kernel.rig import Rig, wait_until

pytestmark = pytest.mark.kernel

MAC = parse_mac("02:00:00:00:00:11")
ADDRESSES = (link_local(MAC), IPv6Address("2001:db8::11"))
VALID, FAILED, GONE = "preferred", "dadfailed", "gone"
OFF = {"all.enhanced_dad": 0, "leth0.enhanced_dad": 0}


class Hairpin:
    """guest leth0 ---- lvp lbr0 host; what the guest says to a group comes back by lvp."""

    def __init__(self, rig: Rig, settings: Mapping[str, int], hairpin: str, snooping: int) -> None:
        self._rig = rig
        for role in ("host", "guest"):
            rig.namespace(role)
        rig.ip("host", f"link add lbr0 type bridge mcast_snooping {snooping}")
        peer = f"leth0 address {format_mac(MAC)} netns {rig.name('guest')}"
        rig.ip("host", f"link add lvp type veth peer name {peer}", "link set lvp master lbr0 up")
        rig.ip("host", "link set lbr0 up")
        rig.ip("guest", "link set leth0 addrgenmode none up")
        rig.bridge("host", f"link set dev lvp hairpin {hairpin}")
        # Only disable_ipv6 of "all" reaches interfaces that are there already.
        fast = {"leth0.router_solicitation_delay": 0, "all.disable_ipv6": 0}
        with rig.space("guest"):
            for key, value in {**fast, **settings}.items():
                where, name = key.split(".")
                Path(f"/proc/sys/net/ipv6/conf/{where}/{name}").write_text(str(value))
            Path("/proc/sys/net/ipv6/neigh/leth0/retrans_time_ms").write_text("200")
        rig.wait_for_forwarding("host")

    def simulated(self) -> dict[IPv6Address, str]:
        names = (self._rig.name("host"), self._rig.name("guest"))
        model = model_of(build([read(names)]))
        (station,) = model.network.stations
        story = Story(tuple(Assign(station, Own(address)) for address in ADDRESSES))
        (run,) = simulate(model, story)
        found = {own.address: own.phase for own in run.addresses[nic_of(station)]}
        return {address: found.get(address, GONE) for address in ADDRESSES}

    def real(self) -> dict[IPv6Address, str]:
        for address in ADDRESSES:
            # With accept_dad 2 the first may have failed by now: then the second is refused.
            self._rig.run("guest", "ip", "address", "add", f"{address}/64", "dev", "leth0")
        wait_until(lambda: "tentative" not in self._phases().values(), "the end of detection")
        phases = self._phases()
        return {address: phases.get(address, GONE) for address in ADDRESSES}

    def _phases(self) -> dict[IPv6Address, str]:
        (shown,) = self._rig.show("guest", "ip", "-6", "address", "show", "dev", "leth0") or [{}]
        listed = [info for info in shown.get("addr_info", []) if info]
        return {IPv6Address(info["local"]): _phase(info) for info in listed}


def _phase(info: Mapping[str, object]) -> str:
    if info.get("dadfailed"):
        return FAILED
    return "tentative" if info.get("tentative") else VALID


@contextmanager
def hairpin(settings: Mapping[str, int], mode: str, snooping: int) -> Iterator[Hairpin]:
    with Rig() as rig:
        yield Hairpin(rig, settings, mode, snooping)


@pytest.mark.parametrize(
    ("settings", "mode", "snooping", "comes_to"),
    [
        (OFF, "on", 0, FAILED),
        ({}, "on", 0, VALID),
        ({"all.enhanced_dad": 0}, "on", 0, VALID),
        ({"leth0.enhanced_dad": 0}, "on", 0, VALID),
        (OFF, "off", 0, VALID),
        (OFF | {"leth0.accept_dad": 0}, "on", 0, VALID),
        (OFF | {"leth0.dad_transmits": 0}, "on", 0, VALID),
        (OFF | {"leth0.dad_transmits": 3}, "on", 0, FAILED),
        (OFF | {"leth0.accept_dad": 2}, "on", 0, GONE),
        (OFF, "on", 1, FAILED),
    ],
)
def test_the_simulation_comes_to_what_the_kernel_does(
    settings: Mapping[str, int], mode: str, snooping: int, comes_to: str
) -> None:
    with hairpin(settings, mode, snooping) as built:
        simulated = built.simulated()
        assert simulated == built.real()
        assert set(simulated.values()) == {comes_to}
