"""blind-path: the path goes through something that hopback cannot evaluate."""

from tests.build import HYPERVISOR, LINKS, checks, link, links, of, only, report

NAME = "blind-path"


def xdp(line: str) -> str:
    return line.replace(" mtu 1500", " mtu 1500 xdp", 1)


def test_a_program_on_a_port() -> None:
    given = report(links(xdp(LINKS[0]), *LINKS[1:]))
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.subject) == ("other-fault", "warning", "eth0")
    assert finding.details["on_bridge_path"] is True
    assert given.verdict == "undecided"
    assert "healthy" not in checks(given)


def test_a_program_beside_the_bridge_weighs_less_and_still_forbids_clear() -> None:
    given = report(links(*LINKS, xdp(link(9, "eth9", "0c:c4:7a:00:00:09"))))
    assert only(given, NAME).severity == "info"
    assert given.verdict == "undecided"


def test_nothing_blind() -> None:
    assert not of(report(HYPERVISOR), NAME)
