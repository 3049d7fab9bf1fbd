"""What the kernel does with the DHCP reply of a guest whose broadcasts come back."""

import pytest

from tests.kernel.incident_b import TAP, UPLINK, IncidentB, Server
from tests.kernel.rig import wait_until

pytestmark = pytest.mark.kernel("dnsmasq", "udhcpc", "tc")

SERVERS: tuple[Server, ...] = ("host", "outside")
ATTEMPTS_MAX = 3


@pytest.mark.parametrize("server", SERVERS)
def test_silent_upstream_lets_the_guest_have_its_lease(server: Server) -> None:
    with IncidentB("silent", server) as incident:
        assert incident.lease()
        assert incident.guest_port() == TAP


@pytest.mark.parametrize("server", SERVERS)
def test_reflector_moves_the_guest_to_the_uplink_and_costs_it_the_lease(server: Server) -> None:
    with IncidentB("reflector", server) as incident:
        assert not incident.lease()
        assert incident.guest_port() == UPLINK


@pytest.mark.parametrize("server", SERVERS)
def test_sticky_entry_on_the_tap_mends_the_reflector(server: Server) -> None:
    with IncidentB("reflector", server) as incident:
        incident.pin_guest()
        assert incident.lease()
        assert incident.guest_port() == TAP


def wait_for_storm(incident: IncidentB) -> None:
    before = incident.received_at_uplink()
    wait_until(lambda: incident.received_at_uplink() > before + 100, "a hundred more copies")


def test_loop_keeps_one_broadcast_circulating() -> None:
    with IncidentB("two-link-loop", "host") as incident:
        incident.say_hello()
        wait_for_storm(incident)
        assert incident.guest_port() == UPLINK


def lease_with_sticky_entry_in_a_loop() -> bool:
    with IncidentB("two-link-loop", "outside") as incident:
        incident.pin_guest()
        # The more of the guest's frames go round, the sooner the outer switch, which has just
        # heard the guest itself, is misled again: sooner than the server answers.
        incident.say_hello(60)
        wait_for_storm(incident)
        # One attempt: its request goes round as well and is answered again and again, so that a
        # guest that speaks up once more may catch one of these answers by luck.
        leased = incident.lease(attempts=1)
        # The remedy did hold on the host: what fails is the table of the outer switch.
        assert incident.guest_port() == TAP
        return leased


def test_sticky_entry_does_not_suffice_when_the_outer_switch_is_in_the_loop() -> None:
    # Now and then the answer is quicker than the storm: that one attempt fails is the fact.
    assert not all(lease_with_sticky_entry_in_a_loop() for _ in range(ATTEMPTS_MAX))
