"""The story of a DHCP exchange: what the tables say is told, and no more."""

from pathlib import Path

from hopback.checks.case import Case
from hopback.engines.dhcp import follow
from hopback.network.build import build
from hopback.render.page import plain
from hopback.render.trace_text import render_trace
from hopback.render.trace_view import TraceView, view_of
from hopback.sources.open import open_source
from tests.reconstructions import PASTE, RING, healthy_paste


def viewed(path: Path, text: str | None = None) -> TraceView:
    if text is not None:
        path.write_text(text)
    case = Case(build(open_source(str(path)).snapshots))
    (station,) = case.network.stations
    return view_of(case, follow(case.model, station))


def shown(view: TraceView) -> str:
    return plain(render_trace(view).lines)


def test_the_wiring_is_a_tree_from_the_guest_to_the_way_out() -> None:
    lines = shown(viewed(PASTE)).splitlines()
    start = lines.index("fa:16:3e:56:ea:fa  instance-00000347  (its NIC)")
    assert lines[start + 1].startswith("└─ tap0b5f208b-76 (port 6)")
    assert lines[start + 2].startswith("   └─ brq5dddda71-76")
    assert lines[start + 3] == (
        "      ├─ bond0.2222 (port 1, inferred)  way out, VLAN 2222 of bond0"
    )
    assert lines[start + 9] == "      └─ tapf4cd7b46-a7"


def test_an_inferred_port_number_is_an_assumption() -> None:
    assert any(a.startswith("bond0.2222 is port 1: ") for a in viewed(PASTE).assumptions)
    assert not any("is port" in a for a in viewed(RING).assumptions)


def test_the_echo_explains_the_entry_that_was_recorded() -> None:
    view = viewed(PASTE)
    assert view.echo is not None
    assert view.echo.explains
    story = shown(view).partition("What if bond0.2222 returns my frames?")[2]
    assert "br_fdb_update moves fa:16:3e:56:ea:fa from tap0b5f208b-76 (port 6) to" in story
    assert "That is the entry recorded" in story


def test_a_healthy_table_is_not_explained_by_a_return(tmp_path: Path) -> None:
    view = viewed(tmp_path / "healthy.txt", healthy_paste())
    assert view.echo is not None
    assert view.echo.moved
    assert view.echo.explains is False
    assert shown(view).startswith("All four DHCP messages of instance-00000347 arrive")
    assert "That is the entry recorded" not in shown(view)


def test_a_sticky_entry_is_not_moved(tmp_path: Path) -> None:
    text = RING.read_text().partition("root@kvm1:~# brctl")[0]
    view = viewed(
        tmp_path / "sticky.txt",
        f"{text}root@kvm1:~# bridge fdb show br lbr0\n"
        "fe:54:00:00:00:11 dev lvnet0 master lbr0 permanent\n"
        "52:54:00:00:00:11 dev lvnet0 master lbr0 sticky static\n",
    )
    assert view.echo is not None
    assert not view.echo.moved
    assert any("does not learn from it" in sentence for sentence in view.echo.story)


def test_what_cannot_be_seen_is_not_called_lost(tmp_path: Path) -> None:
    text = RING.read_text().replace("vlan_filtering 0", "vlan_filtering 1")
    view = viewed(tmp_path / "vlan.txt", text)
    page = shown(view)
    assert page.startswith("Not decided: the DISCOVER")
    assert "not seen further from lvnet0: VLAN filtering" in page
    assert "lost" not in page
