"""What the kernel makes of the hypervisor: one question each, answered by its own stacks."""

from ipaddress import IPv4Address
from typing import Literal, Protocol

from hopback.frames.build import arp_probe
from hopback.frames.codec import encode
from hopback.lab.netns.observer import Observer
from tests.kernel.rig import wait_until
from tests.truth.hypervisor import FLOATING, LINK_LOCAL, NIC, SIBLINGS, V6, VM, Hypervisor

Detection = Literal["ok", "failed", "gone"]

_SHARED = "2001:db8::77"
_UNUSED = IPv4Address("10.0.0.200")


class Asked(Protocol):
    """Who answers the questions: the kernel, or the model."""

    def detection(self) -> Detection:
        """How the duplicate detection of the guest's link-local address ended."""

    def returns(self) -> bool:
        """Whether the guest hears an ARP probe of its own again."""

    def resolves(self, asking: str, asked: str) -> bool:
        """Whether one station finds the other by neighbour discovery, knowing nothing."""

    def duplicates_found(self) -> bool:
        """Whether a true duplicate is found, whoever of the two came first."""

    def reaches_itself(self, role: str = "vm") -> bool:
        """Whether the guest (or its neighbour) is answered by the guest's floating address."""

    def siblings_meet(self) -> bool:
        """Whether the stations behind the guest's port reach each other, both ways."""


class Measures:
    """The kernel's answers."""

    def __init__(self, host: Hypervisor) -> None:
        self._host = host

    def detection(self) -> Detection:
        return self._ended("vm", LINK_LOCAL)

    def _ended(self, role: str, address: str) -> Detection:
        flags: set[str] = set()

        def ended() -> bool:
            flags.clear()
            for link in self._host.rig.show(role, "ip", "-6", "addr", "show", "dev", NIC):
                for told in link["addr_info"]:
                    if told["local"] == address:
                        flags.update({"there", *(name for name, on in told.items() if on is True)})
            return "tentative" not in flags or "dadfailed" in flags

        wait_until(ended, f"the duplicate detection of {address}")
        if "there" not in flags:
            return "gone"
        return "failed" if "dadfailed" in flags else "ok"

    def returns(self) -> bool:
        nic = Observer(self._host.rig.space("vm"), NIC, outgoing=False)
        try:
            probe = encode(arp_probe(VM, _UNUSED))
            nic.send(probe)
            # Over veth pairs and a bridge all of it has happened when send returns.
            return any(seen.frame[: len(probe)] == probe for seen in nic.take())
        finally:
            nic.close()

    def resolves(self, asking: str, asked: str) -> bool:
        for role in (asking, asked):
            mine = f"addr replace {V6[role]}/64 dev {NIC} nodad"
            self._host.rig.ip(role, mine, f"neigh flush dev {NIC}")
        return self._pings(asking, "ping6", V6[asked])

    def duplicates_found(self) -> bool:
        found = True
        for owner, newcomer in (("vm", "ext"), ("ext", "vm")):
            self._host.rig.ip(owner, f"addr add {_SHARED}/64 dev {NIC} nodad")
            self._host.rig.ip(newcomer, f"addr add {_SHARED}/64 dev {NIC}")
            found &= self._ended(newcomer, _SHARED) == "failed"
            for role in (owner, newcomer):
                self._host.rig.ip(role, f"addr del {_SHARED}/64 dev {NIC}")
        return found

    def reaches_itself(self, role: str = "vm") -> bool:
        return self._pings(role, "ping", FLOATING)

    def siblings_meet(self) -> bool:
        return all(
            self._pings(role, "ping", f"10.0.0.{20 + other}")
            for role, other in zip(SIBLINGS, (2, 1), strict=True)
        )

    def _pings(self, role: str, tool: str, target: str) -> bool:
        """Whether ``target`` itself answers: busybox counts answers of anybody."""
        argv = ("busybox", tool, "-c", "2", "-i", "0.2", "-W", "1", target)
        return f"bytes from {target}:" in self._host.rig.run(role, *argv).stdout
