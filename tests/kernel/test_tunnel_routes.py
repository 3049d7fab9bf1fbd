"""VXLAN devices whose outer packets are routed into themselves, on the running kernel."""

import os
import socket

import pytest

from hopback.datapath.kernel import behaviour_of
from tests.kernel.refusal import device_refusal
from tests.kernel.rig import Rig

_KIND = ("vxlan", "id", "7", "dstport", "4789", "remote", "192.0.2.9")

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(device_refusal(*_KIND) is not None, reason=str(device_refusal(*_KIND))),
]
NOBODY = "02:00:00:00:00:99"


def build(rig: Rig, through: dict[int, int]) -> None:
    """Devices by number, each with the number of the one that leads to its remote."""
    rig.namespace("host")
    rig.ip(
        "host",
        "link add u0 type veth peer name u1",
        "link set u0 up",
        "addr add 192.0.2.1/24 dev u0",
    )
    for number in through:
        words = f"type vxlan id {number} dstport 4789 local 192.0.2.1 remote 198.51.100.{number}"
        rig.ip("host", f"link add t{number} {words}", f"link set t{number} up")
    for number, leads in through.items():
        rig.ip(
            "host",
            f"addr add 10.{leads}.{number}.1/24 dev t{leads}",
            f"route add 198.51.100.{number} dev t{leads}",
            f"neigh add 198.51.100.{number} lladdr {NOBODY} dev t{leads}",
            f"neigh add 10.{leads}.{number}.2 lladdr {NOBODY} dev t{leads}",
        )


def sent(rig: Rig, number: int, target: str) -> dict[str, int]:
    """What the device counted once a packet went into it."""
    with rig.space("host"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as program:
        program.sendto(b"hopback", (target, 9))
    (device,) = rig.show("host", "ip", "-s", "link", "show", f"t{number}")
    told = device["stats64"]["tx"]
    return {"packets": told["packets"], "errors": told["errors"]}


def test_a_route_into_itself_is_refused() -> None:
    with Rig() as rig:
        build(rig, {7: 7})
        assert sent(rig, 7, "10.7.7.2") == {"packets": 0, "errors": 1}


def test_nested_transmissions_are_limited() -> None:
    """Each device wraps what the other has wrapped, as often as the kernel lets them."""
    if not behaviour_of(os.uname().release).tunnel_nesting:
        pytest.skip("the limit of older kernels is deeper: tests/fidelity/areas/tunnel.py")
    with Rig() as rig:
        build(rig, {7: 8, 8: 7})
        first = sent(rig, 7, "10.7.8.2")
        (device,) = rig.show("host", "ip", "-s", "link", "show", "t8")
        second = device["stats64"]["tx"]
        assert (first["packets"], second["packets"], second["errors"]) == (2, 1, 1)
