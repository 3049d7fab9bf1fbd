"""Listings that contradict one another are told, and the later one is taken."""

from tests.build import HYPERVISOR, LINKS, links, network, report

BEFORE = links(LINKS[2])
AFTER = links(LINKS[2].replace("hairpin off", "hairpin on"))


def test_a_flag_that_two_listings_contradict() -> None:
    net = network(BEFORE + AFTER)
    (problem,) = net.problems
    assert problem.source == "ip -d link show"
    assert problem.line == 10
    assert problem.message.startswith("hairpin of vnet0 is on here but was off in")
    assert problem.message.endswith("line 5; the later is taken")
    (view,) = net.bridges.values()
    port = view.port("vnet0")
    assert port is not None
    assert port.flags["hairpin"].value is True


def test_it_reaches_the_report() -> None:
    assert len(report(BEFORE + AFTER).problems) == 1


def test_no_contradiction() -> None:
    assert network(HYPERVISOR + HYPERVISOR).problems == ()
    assert network(BEFORE + AFTER.replace("kvm1", "kvm2")).problems == ()
    red = AFTER.replace("ip -d", "ip netns exec red ip -d")
    assert network(BEFORE + red).problems == ()
