"""The page of ``check``: what stands where, and what is not said twice."""

from typing import Any

from msgspec.structs import replace

from hopback.findings import Evidence, Finding, Fix, Gap, NextStep, Report, Step
from hopback.render.page import plain
from hopback.render.terminal import render_check
from hopback.snapshot.table import Problem


def finding(check: str, **settings: Any) -> Finding:
    plainly = Finding(
        check=check,
        group="symptom",
        severity="error",
        evidence="reported",
        confidence="certain",
        host="h1",
        subject="subject",
        summary=f"Summary of {check}.",
        because=(Evidence("rule", "ip link", 3, f"row of {check}", "h1"),),
        details={"bridge": "br0"},
    )
    return replace(plainly, **settings)


CAUSE = finding("uplink-echo", group="comes-back", explains=("mac-move", "own-source"))


def report(*findings: Finding, **settings: Any) -> Report:
    plainly = Report("comes-back", findings[0].summary, ("h1",), findings)
    return replace(plainly, **settings)


def page(shown: Report) -> list[str]:
    return plain(render_check(shown).lines).splitlines()


def indent_of(lines: list[str], text: str) -> int:
    (line,) = (line for line in lines if text in line)
    return len(line) - len(line.lstrip())


def test_the_sentence_is_said_once() -> None:
    lines = page(report(CAUSE))
    assert lines[:2] == ["COMES BACK  h1", CAUSE.summary]
    assert sum(CAUSE.summary in line for line in lines) == 1


def test_not_decided_is_said_once() -> None:
    open_ = report(CAUSE, verdict="undecided", sentence=f"Not decided: {CAUSE.summary}")
    assert page(open_)[:2] == ["UNDECIDED  h1", CAUSE.summary]


def test_a_symptom_stands_under_its_cause_on_the_same_bridge_only() -> None:
    here, elsewhere = finding("mac-move"), finding("own-source", details={"bridge": "br1"})
    lines = page(report(CAUSE, here, elsewhere))
    assert indent_of(lines, here.summary) == 2
    assert indent_of(lines, elsewhere.summary) == 0


def test_a_symptom_of_an_unknown_bridge_belongs_to_its_host() -> None:
    oldest_form = finding("own-source", details={"bridge": None})
    other_host = finding("mac-move", host="h2")
    lines = page(report(CAUSE, oldest_form, other_host))
    assert indent_of(lines, oldest_form.summary) == 2
    assert indent_of(lines, other_host.summary) == 0


def test_what_the_symptom_quotes_the_cause_does_not() -> None:
    symptom = finding("mac-move")
    cause = replace(CAUSE, because=symptom.because)
    assert sum("row of mac-move" in line for line in page(report(cause, symptom))) == 1


def test_alternatives_of_cause_and_symptoms_are_merged() -> None:
    symptom = finding("mac-move", alternatives=("a clone", "a failover"))
    lines = page(report(replace(CAUSE, alternatives=("a clone",)), symptom))
    assert [line.strip() for line in lines if line.strip().startswith("- ")] == [
        "- a clone",
        "- a failover",
    ]


def test_deciding_rows_are_marked_in_the_order_of_their_lines() -> None:
    rows = (
        Evidence("decides", "brctl showmacs", 12, "wrong", "h1"),
        Evidence("own-port", "brctl showmacs", 9, "right", "h1"),
    )
    lines = page(report(replace(CAUSE, because=rows)))
    start = lines.index("  brctl showmacs")
    assert [line.split() for line in lines[start + 1 : start + 3]] == [
        ["9", "right"],
        [">", "12", "wrong"],
    ]


def test_many_rows_are_counted_not_shown() -> None:
    rows = tuple(Evidence("r", "ip link", n, f"row {n}", "h1") for n in range(1, 31))
    lines = page(report(replace(CAUSE, because=rows)))
    assert sum("row " in line for line in lines) == 8
    assert "  and 22 more rows (--json has them all)" in lines


def test_a_path_is_drawn_as_hops() -> None:
    path = (
        Step("h1", "tap0", "in", "DHCP DISCOVER", "sent by the station"),
        Step("h1", "bond0", "out", "DHCP DISCOVER", "flooded"),
    )
    lines = page(report(replace(CAUSE, path=path)))
    assert "  1. in  tap0  sent by the station" in lines
    assert "  2. out bond0  flooded" in lines


def test_a_fix_shows_commands_undo_and_limits() -> None:
    fix = Fix("sticky_entry", "h1", ("do it",), ("undo it",), ("renew the lease",), proved=True)
    rejected = Fix("learning_off", "h1", ("x",), (), rejected_because="the entry stays wrong")
    lines = page(report(replace(CAUSE, fixes=(replace(fix, limits="the loop"), rejected))))
    assert "  Fix: sticky_entry on h1 (proved in the model)" in lines
    assert lines.index("    $ do it") < lines.index("    $ undo it")
    assert "    - renew the lease" in lines
    assert "    does not mend: the loop" in lines
    assert "  Rejected: learning_off: the entry stays wrong" in lines
    assert not any("$ x" in line for line in lines)


def test_quiet_findings_take_a_line_at_the_end() -> None:
    quiet = finding("hairpin-reflection", group="comes-back", severity="info")
    lines = page(report(CAUSE, quiet, next=(NextStep("h1", "command", "why"),)))
    assert lines.index("Besides") < lines.index("Next")
    assert f"  - {quiet.summary} (hairpin-reflection)" in lines


def test_next_steps_by_host_and_command() -> None:
    steps = (
        NextStep("h1", "nft list ruleset", "first"),
        NextStep("the switch", "show the table", "third"),
        NextStep("h1", "nft list ruleset", "second"),
    )
    lines = page(report(CAUSE, next=steps))
    assert lines[lines.index("Next") + 1 :] == [
        "  on h1",
        "    $ nft list ruleset",
        "      first",
        "      second",
        "  on the switch",
        "    show the table",
        "      third",
    ]


def test_gaps_and_problems_come_last() -> None:
    gaps = tuple(Gap("h1", "filters", f"chain {n} is not evaluated") for n in range(12))
    lines = page(report(CAUSE, gaps=gaps, problems=(Problem("ip link", 3, "cut"),)))
    start = lines.index("Not seen")
    assert lines[start + 1] == "  - filters: chain 0 is not evaluated"
    assert "  and 4 more (--json has them all)" in lines
    assert lines[-1].startswith("1 problem with the input")


def test_rows_of_several_hosts_say_which() -> None:
    assert "  h1: ip link" in page(report(CAUSE, hosts=("h1", "h2")))


def test_many_hosts_fit_on_the_first_line() -> None:
    hosts = tuple(f"hypervisor-{n:02}.example.org" for n in range(40))
    first = page(report(CAUSE, hosts=hosts))[0]
    assert len(first) <= 80
    assert first.startswith("COMES BACK  hypervisor-00.example.org")
