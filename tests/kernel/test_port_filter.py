"""The filter that is offered against a reflection, on a real bridge: it, and its undo."""

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from hopback.findings import Fix
from hopback.frames.mac import BROADCAST, Mac, mac_to_bytes
from hopback.network.facts import DevId
from hopback.remedies import hairpin_off, port_filter
from hopback.remedies.remedy import Remedy
from hopback.remedies.target import Target
from tests.kernel.bridge_rig import BRIDGE, TEST_ETHERTYPE, KernelBridge, PortConfig
from tests.kernel.filter_rig import filter_refusal

STATION, SIBLING = Mac(0x5254_0000_0001), Mac(0x5254_0000_0002)
TARGET = Target(DevId("", "", "lp0"), DevId("", "", BRIDGE), STATION)
GROUPS = (BROADCAST, Mac(0x3333_FF00_0001), Mac(0x0100_5E00_0001))

pytestmark = pytest.mark.kernel("nft")


class Host(KernelBridge):
    """A station and its sibling behind the hairpin port lp0, and somebody else on lp1."""

    def __init__(self) -> None:
        super().__init__([PortConfig(hairpin=True), PortConfig()])

    def carry_out(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            self._run(*shlex.split(line))

    def rules(self) -> str:
        return self._run("nft", "list", "ruleset")

    def comes_back(self, source: Mac, to: Mac) -> bool:
        head = mac_to_bytes(to) + mac_to_bytes(source)
        seen = self.inject(0, head + TEST_ETHERTYPE.to_bytes(2, "big") + bytes(46))
        return 0 in seen.egress


@pytest.fixture
def host() -> Iterator[Host]:
    if reason := filter_refusal(brouting=False):
        pytest.skip(f"kernel test: {reason}")
    with Host() as made:
        assert isinstance(made, Host)
        yield made


def planned(remedy: Remedy, folder: Path) -> Fix:
    """The fix with its files in ``folder``, where they are written."""
    fix = remedy.plan(TARGET)
    assert fix is not None
    for file in fix.files:
        path = folder / Path(file.path).name
        path.write_text(file.content)
        commands = tuple(line.replace(file.path, str(path)) for line in fix.commands)
        fix = replace(fix, commands=commands)
    return fix


@pytest.mark.parametrize("remedy", [port_filter.REMEDY, port_filter.IN_EBTABLES])
def test_nothing_of_the_station_comes_back_but_what_others_need(
    host: Host, remedy: Remedy, tmp_path: Path
) -> None:
    fix = planned(remedy, tmp_path)
    assert all(host.comes_back(STATION, group) for group in GROUPS)
    host.carry_out(fix.commands)
    assert not any(host.comes_back(STATION, group) for group in GROUPS)
    assert all(host.comes_back(SIBLING, group) for group in GROUPS), "VEPA"
    assert host.comes_back(STATION, STATION), "NAT back to the station"
    host.carry_out(fix.undo)
    assert all(host.comes_back(STATION, group) for group in GROUPS)


def test_the_file_may_be_loaded_again_and_nothing_is_left_of_it(host: Host, tmp_path: Path) -> None:
    fix = planned(port_filter.REMEDY, tmp_path)
    host.carry_out(fix.commands)
    once = host.rules()
    host.carry_out(fix.commands)
    assert host.rules() == once
    assert once.count("drop") == 1
    host.carry_out(fix.undo)
    assert host.rules() == ""


def test_hairpin_off_and_on_again(host: Host, tmp_path: Path) -> None:
    fix = planned(hairpin_off.REMEDY, tmp_path)
    host.carry_out(fix.commands)
    assert not any(host.comes_back(STATION, to) for to in (*GROUPS, STATION))
    host.carry_out(fix.undo)
    assert host.comes_back(STATION, BROADCAST)
