"""ipvs-split-brain: two masters at once, and what only looks like it."""

from pathlib import Path

import pytest

from hopback.checks.diagnose import diagnose
from hopback.findings import Report
from hopback.sources.open import open_source
from tests.build import checks, listing, only, report

FIXTURES = Path(__file__).parents[1] / "fixtures" / "directors"
CONFIG = """vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    virtual_ipaddress {
        192.0.2.100/32 dev eth0
    }
}"""
OWN = {"a": 11, "b": 12}


def addresses(host: str, *more: str) -> str:
    first = f"2: eth0    inet 192.0.2.{OWN[host]}/24 scope global eth0"
    return listing("ip -4 -o addr show", [first, *more], host)


def config(host: str, text: str = CONFIG) -> str:
    return listing("cat /etc/keepalived/keepalived.conf", text.splitlines(), host)


HELD = "2: eth0    inet 192.0.2.100/32 scope global eth0"
ON_LO = "1: lo    inet 192.0.2.100/32 scope global lo"


def recorded(state: str) -> Report:
    hosts = [open_source(str(FIXTURES / state / host)).snapshots[0] for host in "ab"]
    return diagnose(hosts)


def test_both_have_the_address_and_a_filter_drops_adverts() -> None:
    found = only(recorded("split"), "ipvs-split-brain")
    assert (found.subject, found.severity) == ("192.0.2.100", "error")
    assert found.details["masters"] == ["a", "b"]
    assert found.details["now"] is True
    assert str(found.details["lost_by"]).startswith("b drops them")
    assert any("-p vrrp -j DROP" in e.text for e in found.because)


def test_one_gave_way() -> None:
    found = only(recorded("healed"), "ipvs-split-brain")
    assert (found.severity, found.details["told_by"]) == ("warning", "log")
    assert (found.details["masters"], found.details["now"]) == (["a", "b"], False)


def test_one_master() -> None:
    assert "ipvs-split-brain" not in checks(recorded("before"))


def test_the_same_address_is_not_told_twice() -> None:
    given = report(config("a") + addresses("a", HELD) + addresses("b", HELD))
    assert only(given, "ipvs-split-brain").details["told_by"] == "addresses"
    assert "duplicate-address" not in checks(given)


def test_a_real_server_has_it_on_lo() -> None:
    given = report(config("a") + addresses("a", HELD) + addresses("b", ON_LO))
    assert "ipvs-split-brain" not in checks(given)


def log(host: str, *lines: str) -> str:
    stamped = [
        f"Nov 20 17:24:{at} {host} Keepalived_vrrp[7]: (VI_1) {text}"
        for at, text in (line.split(" ", 1) for line in lines)
    ]
    return listing("journalctl -u keepalived", stamped, host)


ADVERT = "Received advert from 192.0.2.12 with lower priority 90, ours 100, forcing new election"
HIGHER = "Master received advert from 192.0.2.11 with higher priority 100, ours 90"


def test_a_master_that_goes_on_hearing_another() -> None:
    given = report(config("a") + log("a", *(f"{at} {ADVERT}" for at in range(20, 25))))
    found = only(given, "ipvs-split-brain")
    assert found.details["masters"] == ["a", "192.0.2.12"]
    assert (found.details["router_id"], found.details["now"]) == (51, True)


@pytest.mark.parametrize("times", [(20,), (20, 21), (20, 20, 20)])
def test_an_election(times: tuple[int, ...]) -> None:
    given = report(config("a") + log("a", *(f"{at} {ADVERT}" for at in times)))
    assert "ipvs-split-brain" not in checks(given)


def test_terms_that_overlap() -> None:
    a = log("a", "10 Entering MASTER STATE", f"25 {ADVERT}")
    b = log("b", "20 Entering MASTER STATE", f"26 {HIGHER}", "26 Entering BACKUP STATE")
    found = only(report(config("a") + config("b") + a + b), "ipvs-split-brain")
    assert found.details["masters"] == ["a", "b"]


def test_a_master_that_died() -> None:
    a = log("a", "10 Entering MASTER STATE")
    b = log("b", "20 Entering MASTER STATE", "40 Entering BACKUP STATE")
    assert "ipvs-split-brain" not in checks(report(a + b))


def test_other_router_ids_are_other_routers() -> None:
    a = log("a", "10 Entering MASTER STATE", "30 Entering BACKUP STATE")
    b = log("b", "10 Entering MASTER STATE", "30 Entering BACKUP STATE")
    other = CONFIG.replace("id 51", "id 52").replace("2.100", "2.101")
    assert "ipvs-split-brain" in checks(report(config("a") + config("b") + a + b))
    assert "ipvs-split-brain" not in checks(report(config("a") + config("b", other) + a + b))


def adverts(*senders: int) -> str:
    rows = [
        f"17:24:{at:02d}.000000 IP (tos 0xc0, ttl 255, id {at}, offset 0, flags [none], proto VRRP"
        f" (112), length 40)\n    192.0.2.{sender} > 224.0.0.18: VRRPv2, Advertisement, vrid 51,"
        " prio 100, authtype none, intvl 1s, length 20, addrs: 192.0.2.100"
        for at, sender in enumerate(senders)
    ]
    return listing("tcpdump -n -v -i eth0 proto 112", rows, "a")


def test_adverts_of_two_in_turn() -> None:
    found = only(report(adverts(11, 12, 11, 12)), "ipvs-split-brain")
    assert (found.evidence, found.details["told_by"]) == ("observed", "capture")
    assert found.details["masters"] == ["192.0.2.11", "192.0.2.12"]


def test_adverts_through_a_fail_over() -> None:
    assert "ipvs-split-brain" not in checks(report(adverts(11, 11, 12, 12, 11, 11)))
