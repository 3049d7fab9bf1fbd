"""forward-drop: FORWARD accepts nothing new, or ends what a known station needs."""

import pytest

from tests.build import HYPERVISOR, listing, of, only, report

NAME = "forward-drop"

OLD = "-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT"


def saved(*rules: str, policy: str = "DROP") -> str:
    chains = [f":{name} ACCEPT [0:0]" for name in ("INPUT", "OUTPUT")]
    lines = ["*filter", f":FORWARD {policy} [0:0]", *chains, *rules, "COMMIT"]
    return listing("iptables-save -t filter", lines)


def test_nothing_new_is_accepted() -> None:
    given = report(saved(OLD))
    finding = only(given, NAME)
    assert (finding.subject, finding.confidence) == ("iptables FORWARD", "likely")
    assert finding.details["chain"] == "FORWARD"


@pytest.mark.parametrize(
    "rule",
    [
        "-A FORWARD -i virbr0 -j ACCEPT",
        "-A FORWARD -m physdev --physdev-is-bridged -j ACCEPT",
        "-A FORWARD -m conntrack --ctstate NEW -j ACCEPT",
    ],
)
def test_something_new_is(rule: str) -> None:
    assert not of(report(saved(OLD, rule)), NAME)


def test_a_policy_that_accepts() -> None:
    assert not of(report(saved(OLD, policy="ACCEPT")), NAME)


def test_a_chain_below_accepts() -> None:
    rules = (":GUESTS - [0:0]", "-A FORWARD -j GUESTS", "-A GUESTS -o virbr0 -j ACCEPT")
    assert not of(report(saved(*rules)), NAME)
    assert only(report(saved(*rules[:2])), NAME).confidence == "likely"


def test_a_chain_that_is_not_shown_may_accept() -> None:
    lines = [
        "Chain FORWARD (policy DROP)",
        "target     prot opt source               destination",
        "LIBVIRT_FWX  all  --  anywhere             anywhere",
        "ACCEPT     all  --  anywhere             anywhere             ctstate RELATED,ESTABLISHED",
    ]
    finding = only(report(listing("iptables -L FORWARD", lines)), NAME)
    assert finding.confidence == "possible"
    assert "not shown" in finding.summary


GUEST = "52:54:00:00:00:01"


def bridged(bridge_nf: int, *rules: str) -> str:
    defined = listing(
        "virsh domiflist web1",
        [
            " Interface   Type     Source   Model    MAC",
            "-----------------------------------------------------------",
            f" vnet0       bridge   br0      virtio   {GUEST}",
        ],
    )
    switch = [f"net.bridge.bridge-nf-call-iptables = {bridge_nf}"]
    return HYPERVISOR + defined + listing("sysctl -a", switch) + saved(*rules)


def test_what_a_bridge_forwards_meets_it_too() -> None:
    finding = only(report(bridged(1, OLD)), NAME)
    assert (finding.details["station"], finding.details["bridge"]) == (GUEST, "br0")
    assert finding.details["frames"] == "DHCP requests"
    assert any("bridge-nf-call-iptables" in e.text for e in finding.because)


@pytest.mark.parametrize(
    "given",
    [
        bridged(0, OLD),
        bridged(1, OLD, "-A FORWARD -m physdev --physdev-is-bridged -j ACCEPT"),
        bridged(1, OLD, "-A FORWARD -i br0 -j ACCEPT"),
    ],
)
def test_what_a_bridge_forwards_is_accepted(given: str) -> None:
    assert not of(report(given), NAME)
