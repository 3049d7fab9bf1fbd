"""lag-mismatch: the two sides of a link aggregate do not agree."""

from tests.build import checks, listing, of, only, report

NAME = "lag-mismatch"
SWITCH, NOBODY = "00:1c:73:00:00:01", "00:00:00:00:00:00"
FINE, DEFAULTED = 61, 69


def bond(*legs: str, mode: str = "IEEE 802.3ad Dynamic link aggregation") -> str:
    head = ["Ethernet Channel Bonding Driver: v5.10.0", "", f"Bonding Mode: {mode}"]
    return listing("cat /proc/net/bonding/bond0", [*head, "MII Status: up", "", *legs])


def leg(
    name: str, partner: str = SWITCH, *, aggregator: int = 1, state: int = FINE, mii: str = "up"
) -> str:
    return f"""\
Slave Interface: {name}
MII Status: {mii}
Speed: 10000 Mbps
Permanent HW addr: 0c:c4:7a:00:00:01
Aggregator ID: {aggregator}
details actor lacp pdu:
    system mac address: 0c:c4:7a:00:00:01
    port state: {state}
details partner lacp pdu:
    system mac address: {partner}
    port state: 61
"""


def kinds(text: str) -> dict[str, list[str]]:
    return {f.details["kind"]: f.details["legs"] for f in of(report(text), NAME)}


def test_a_leg_that_hears_no_partner() -> None:
    given = report(bond(leg("eth0"), leg("eth1", NOBODY, state=DEFAULTED, aggregator=2)))
    finding = only(given, NAME)
    assert (finding.group, finding.severity, finding.subject) == ("other-fault", "warning", "bond0")
    assert finding.details["kind"] == "no-partner"
    assert finding.details["legs"] == ["eth1"]
    assert given.verdict == "clear"


def head(partner: str, *legs: str) -> str:
    """What others than root see: the partner once, and nothing of it in the legs."""
    shown = [f"    Partner Mac Address: {partner}", ""]
    plain = [leg.partition("details")[0] for leg in legs]
    return bond("802.3ad info", "Active Aggregator Info:", *shown, *plain)


def test_partner_that_only_the_head_shows() -> None:
    legs = leg("eth0"), leg("eth1", aggregator=2)
    assert kinds(head(NOBODY, *legs)) == {"no-partner": ["eth0", "eth1"]}
    assert kinds(head(SWITCH, *legs)) == {"split": ["eth0", "eth1"]}


def test_legs_in_different_aggregators() -> None:
    other = "00:1c:73:00:00:02"
    assert kinds(bond(leg("eth0"), leg("eth1", other, aggregator=2))) == {"split": ["eth0", "eth1"]}


def test_a_leg_without_link_is_that_and_nothing_more() -> None:
    down = leg("eth1", NOBODY, aggregator=2, state=DEFAULTED, mii="down")
    assert kinds(bond(leg("eth0"), down)) == {"leg-down": ["eth1"]}


def test_a_healthy_aggregate() -> None:
    assert NAME not in checks(report(bond(leg("eth0"), leg("eth1"))))


def test_active_backup_has_no_partner_to_hear() -> None:
    plain = "Slave Interface: {}\nMII Status: up\nPermanent HW addr: 0c:c4:7a:00:00:01\n"
    legs = (plain.format("eth0"), plain.format("eth1"))
    assert not kinds(bond(*legs, mode="fault-tolerance (active-backup)"))


def test_what_an_earlier_listing_said_is_past() -> None:
    deaf = bond(leg("eth0", NOBODY, state=DEFAULTED), leg("eth1", aggregator=2))
    assert kinds(deaf)
    assert not kinds(deaf + bond(leg("eth0"), leg("eth1")))
    down = bond(leg("eth0", mii="down"), leg("eth1"))
    assert not kinds(down + bond(leg("eth0"), leg("eth1")))


def test_aggregators_are_numbered_anew_after_a_bounce() -> None:
    before = bond(leg("eth0", aggregator=1), leg("eth1", aggregator=1))
    after = bond(leg("eth0", aggregator=2), leg("eth1", aggregator=2))
    assert not kinds(before + after)
