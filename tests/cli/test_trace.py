"""``hopback trace``: whom it follows, what it prints, and the code it ends with."""

from pathlib import Path

import msgspec
import pytest

from hopback.cli.output import WIDTH
from hopback.render.trace_json_v1 import TraceV1
from tests.cli.conftest import Run
from tests.reconstructions import PASTE, RECONSTRUCTIONS, RING, healthy_paste

MAC = "fa:16:3e:56:ea:fa"


def document(stdout: str) -> TraceV1:
    decoded = msgspec.json.decode(stdout, type=TraceV1)
    assert msgspec.json.decode(msgspec.json.encode(decoded)) == msgspec.json.decode(stdout)
    return decoded


@pytest.mark.parametrize("name", ["instance-00000347", MAC, "FA-16-3E-56-EA-FA", "tap0b5f208b-76"])
def test_a_guest_goes_by_any_of_its_names(run: Run, name: str) -> None:
    result = run("trace", PASTE, "--to", name, "--dhcp")
    assert result.exit_code == 1
    assert result.stdout.startswith("The DHCP OFFER for instance-00000347 is lost at bond0.2222.")


def test_a_namespace_and_its_address_name_a_station(run: Run) -> None:
    text = RING.read_text() + "root@kvm1:~# ip neigh show\n192.0.2.116 dev lbr0 lladdr"
    result = run(
        "trace", "-", "--to", "192.0.2.116", "--dhcp", stdin=f"{text} 52:54:00:00:00:11 STALE\n"
    )
    assert result.exit_code == 1


def test_the_lost_hop_quotes_the_entry_and_says_what_it_should_be(run: Run) -> None:
    lines = run("trace", PASTE, "--to", MAC, "--dhcp").stdout.splitlines()
    text = "\n".join(lines)
    assert "lost here because the destination is on the port the frame came in by" in text
    assert "br_forward.c:should_deliver" in text
    entry = PASTE.read_text().splitlines().index("  1\tfa:16:3e:56:ea:fa\tno\t\t   1.35") + 1
    assert any(line.split()[:3] == [">", str(entry), "1"] for line in lines)
    assert f"the table says     {MAC} on bond0.2222 (port 1)" in text
    assert f"it should say      {MAC} on tap0b5f208b-76 (port 6)" in text


def test_json_tells_the_same(run: Run) -> None:
    result = run("trace", PASTE, "--to", MAC, "--dhcp", "-j")
    trace = document(result.stdout)
    legs = {leg.message: leg for leg in trace.legs}
    assert result.exit_code == 1
    assert [leg.arrived for leg in trace.legs] == [True, False, True, False]
    assert [leg.would_be for leg in trace.legs] == [False, False, True, True]
    assert (legs["OFFER"].lost_at, legs["OFFER"].rule) == ("bond0.2222", "same-port")
    assert legs["OFFER"].table is not None
    assert trace.wiring.others[0].device == "bond0.2222"
    assert trace.wiring.others[0].vlan == 2222
    assert trace.echo is not None
    assert trace.echo.moves_entry
    assert trace.echo.explains_recorded_entry
    assert trace.echo.heard_by_guest


def test_healthy_tables_carry_all_four(run: Run) -> None:
    result = run("trace", "-", "--to", MAC, "--dhcp", "-j", stdin=healthy_paste())
    trace = document(result.stdout)
    assert result.exit_code == 0
    assert all(leg.arrived for leg in trace.legs)
    assert trace.echo is not None
    assert trace.echo.explains_recorded_entry is False


def test_the_server_may_be_the_host_itself(run: Run) -> None:
    trace = document(run("trace", PASTE, "--to", MAC, "--dhcp", "--server", "host", "-j").stdout)
    offer = trace.legs[1]
    assert trace.server.startswith("the host itself")
    assert (offer.arrived, offer.lost_at, offer.fate) == (False, "bond0.2222", "left")
    assert trace.echo is None


@pytest.mark.parametrize("source", RECONSTRUCTIONS, ids=lambda p: p.stem)
def test_fits_eighty_columns(run: Run, source: Path) -> None:
    guest = MAC if source == PASTE else "lvnet0"
    lines = run("trace", source, "--to", guest, "--dhcp").stdout.splitlines()
    assert lines
    assert [line for line in lines if len(line) > WIDTH] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--to", "nobody", "--dhcp"], MAC),
        (["--to", MAC, "--dhcp", "--server", "eth9"], "bond0.2222"),
        (["--to", MAC], "--dhcp"),
        (["--dhcp"], "--to"),
    ],
)
def test_wrong_names_list_the_right_ones(run: Run, words: list[str], said: str) -> None:
    result = run("trace", PASTE, *words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr


def test_an_ambiguous_name_lists_the_candidates(run: Run) -> None:
    second = PASTE.read_text().replace("56:ea:fa", "56:ea:fb").replace("0b5f208b-76", "0e6de0ae-f1")
    nic = second[second.index("root@cmp12:~# virsh") : second.index("And that tap")]
    result = run("trace", "-", "--to", "instance-00000347", "--dhcp", stdin=PASTE.read_text() + nic)
    assert result.exit_code == 2
    assert MAC in result.stderr
    assert "fa:16:3e:56:ea:fb" in result.stderr
