"""What programs and kernels log of address conflicts, in the dialects of fifteen years."""

import re
from typing import NamedTuple

from hopback.frames.mac import Mac
from hopback.sources.parse.fields import mac_or_none, unnamed

_ADDRESS = r"(?P<address>[0-9a-fA-F:.]{2,64})"
_MAC = r"(?P<mac>[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5})"


class Conflict(NamedTuple):
    """What one message says; ``start`` is where in the line it begins."""

    dev: str
    address: str | None
    used_by: Mac | None
    disabled: bool | None
    start: int


class Claim(NamedTuple):
    """Somebody said that it has an address that is ours."""

    dev: str
    address: str
    mac: Mac | None
    start: int


def _patterns(dev: str) -> tuple[re.Pattern[str], ...]:
    return tuple(
        re.compile(form)
        for form in (
            # net/ipv6/addrconf.c:addrconf_dad_failure: 2.6.24 says neither IPv6 nor the address,
            # from 4.15 on the Ethernet source of the message follows.
            rf"(?P<dev>{dev}): (?:IPv6 )?duplicate address"
            r" (?:(?!used |detected)(?P<address>\S+) )?(?:used by (?P<mac>\S+) )?detected",
            # net/ipv6/addrconf.c:addrconf_dad_work, where accept_dad is 2
            rf"(?P<dev>{dev}): (?P<disabled>IPv6 being disabled)!",
            # NetworkManager 1.8 and later
            rf"device \((?P<dev>{dev})\): IP address {_ADDRESS} cannot be configured because it is"
            rf" already in use in the network by host {_MAC}",
            # systemd src/network/networkd-ipv4acd.c
            rf"(?P<dev>{dev}): (?:Dropping|Cannot configure requested) address {_ADDRESS}\S*"
            r"(?: \([^)]{1,64}\))?, as an address conflict was detected",
            # dhcpcd src/arp.c
            rf"(?P<dev>{dev}): hardware address {_MAC} claims {_ADDRESS}",
            # ISC dhclient client/dhclient.c:send_decline
            rf"DHCPDECLINE (?:of {_ADDRESS} )?on (?P<dev>{dev}) to ",
        )
    )


class Dialects:
    """The messages, given how a device's name may look in the log."""

    def __init__(self, dev: str) -> None:
        self._conflicts = _patterns(dev)
        # net/ipv6/ndisc.c:ndisc_recv_na; before 4.15 it does not say who
        self._claim = re.compile(
            rf"NA: (?:someone|{_MAC}) advertise[sd] our address (?P<address>\S+) on (?P<dev>{dev})!"
        )
        parts = "|".join(unnamed(p) for p in (*self._conflicts, self._claim))
        self.shape = f"(?:{parts})"

    def conflict(self, line: str) -> Conflict | None:
        """The conflict that the line reports."""
        for pattern in self._conflicts:
            if match := pattern.search(line):
                told = match.groupdict()
                return Conflict(
                    dev=match["dev"],
                    address=told.get("address"),
                    used_by=mac_or_none(told.get("mac")),
                    disabled=True if told.get("disabled") else None,
                    start=match.start(),
                )
        return None

    def claim(self, line: str) -> Claim | None:
        """The advertisement of our own address that the kernel heard."""
        match = self._claim.search(line)
        if match is None:
            return None
        return Claim(match["dev"], match["address"], mac_or_none(match["mac"]), match.start())
