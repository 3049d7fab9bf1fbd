"""Random matches without those that nft 1.0.6 does not list so that they can be read back.

It leaves out what it takes to be implied, lists bytes without their type, or other fields instead:
then no reader can know what the kernel was told.
"""

import re

_NUMBERED = ("ip protocol", "ip6 nexthdr", "meta l4proto")
_IN_TRANSPORT = re.compile(r"\b(?:th|tcp|udp|icmp|icmpv6) |@th")
"""A protocol's number is forgotten before a field of what follows it."""

_TYPES = ("ether type", "vlan type", "meta protocol")
_BESIDE_TYPE = ("ether ", "vlan ", "meta mark", "meta pkttype")
"""A type is forgotten before most other words of the packet, another type among them."""


def names_type(matches: list[str]) -> bool:
    """Whether the rule names an Ethernet type; then no statement may be about the packet."""
    return any(match.startswith(_TYPES) for match in matches)


def sayable(matches: list[str], *, bridged: bool) -> list[str]:
    """The matches that can stand together, none of them twice, those on VLANs last."""
    found = list({tuple(match.split()[:2]): match for match in matches}.values())
    if names_type(found):
        type_ = next(match for match in found if match.startswith(_TYPES))
        others = (m for m in found if m.startswith(_BESIDE_TYPE) and not m.startswith(_TYPES))
        found = [type_, *(match for match in others if " . " not in match)]
        if any("vlan" in match for match in found):
            found = [match for match in found if "addr" not in match]
    if any(match.startswith(_NUMBERED) for match in found):
        found = [match for match in found if not _IN_TRANSPORT.search(match)]
    inside = [match for match in found if _IN_TRANSPORT.search(match)]
    if bridged and len(inside) > 1:  # in fragments it matters how much is loaded at once
        found = [match for match in found if match not in inside[1:]]
    # Addresses of the frame are listed wrongly behind a match on its VLAN.
    return sorted(found, key=lambda match: match.startswith("vlan"))
