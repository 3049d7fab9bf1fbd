"""Which forwarding entries a lookup can find.

The table is kept by address and VLAN, and a bridge without VLAN filtering looks up VLAN 0 alone
(net/bridge/br_vlan.c:__allowed_ingress leaves the VID at 0). An entry of a VLAN is then dead
weight: ``bridge fdb replace … static`` makes one beside the entry that counts.
"""

from hopback.network.model import BridgeView, Entry, Listing


def looked_up(bridge: BridgeView, listing: Listing) -> tuple[Entry, ...]:
    """The entries of ``listing`` that decide where a frame goes, local ones included.

    Where nothing tells whether the bridge filters, an address that has an entry without VLAN is
    taken to be looked up there.
    """
    filtering = bridge.settings.get("vlan_filtering")
    if filtering is not None and filtering.value:
        return listing.entries
    plain = {e.row.mac for e in listing.entries if not e.row.vlan}
    return tuple(
        e
        for e in listing.entries
        if not e.row.vlan or (filtering is None and e.row.mac not in plain)
    )
