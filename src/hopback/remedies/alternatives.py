"""What is often done against a reflection, and why it should not be: each fails somewhere.

They are tried like any other remedy, and shown only where the model says what they break.
"""

from msgspec.structs import replace

from hopback.findings import Fix
from hopback.remedies.cut import Cut, by_nft
from hopback.remedies.flags import by_flag
from hopback.remedies.remedy import Remedy
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Edit, Replace

INGRESS_FILTER = "ingress_filter"
ND_FILTER = "nd_filter"
GROUP_FILTER = "group_filter"
MAC_FILTER = "mac_filter"
MCAST_FLOOD_OFF = "mcast_flood_off"
ISOLATED_ON = "isolated_on"
PROMISC_OFF = "promisc_off"


def _promisc_off(target: Target) -> Fix:
    tool = f"ip -n {target.port.netns}" if target.port.netns else "ip"
    there, back = (f"{tool} link set dev {target.bridge.name} promisc {v}" for v in ("off", "on"))
    radius = "what the host sees of the bridge's traffic"
    return Fix(PROMISC_OFF, target.host, (there,), (back,), blast_radius=radius)


def _promisc_edits(snapshot: Snapshot, target: Target) -> tuple[Edit, ...]:
    return tuple(
        Replace(row, replace(row, promisc=False))
        for row in dict.fromkeys(snapshot.links.rows)
        if (row.netns, row.name) == target.bridge[1:]
    )


REMEDIES = (
    # Nobody hears the station ask any more.
    by_nft(
        INGRESS_FILTER,
        Cut("prerouting", entering=True, leaving=False, to="ipv6"),
        "every IPv6 multicast of the station, for all listeners",
    ),
    # What nova did (nova-no-nd-reflection): ARP probes and DHCP still come back.
    by_nft(
        ND_FILTER,
        Cut("postrouting", entering=False, leaving=True, to="ipv6"),
        "IPv6 multicasts of the station on their way back to it",
    ),
    # Without the MAC, stations that share the port (VEPA) lose each other.
    by_nft(
        GROUP_FILTER,
        Cut("forward", entering=True, leaving=True, own=False),
        "broadcasts and multicasts between stations that share the port",
    ),
    # Bridged DNAT gives a station its packets back with its own MAC as source.
    by_nft(
        MAC_FILTER,
        Cut("postrouting", entering=False, leaving=True, to="anything"),
        "whatever is sent to the station with its own MAC as source",
    ),
    # The station cannot be asked for its address.
    by_flag(MCAST_FLOOD_OFF, "mcast_flood", on=False, blast_radius="every multicast to the port"),
    # An isolated port sends to no isolated port, itself included.
    by_flag(
        ISOLATED_ON,
        "isolated",
        on=True,
        blast_radius="all between the port and itself, or other isolated ports",
    ),
    # A promiscuous Linux bridge returns no frame: it hands the host a copy of what it forwards
    # (net/bridge/br_input.c:br_handle_frame_finish).
    Remedy(PROMISC_OFF, _promisc_off, _promisc_edits),
)
