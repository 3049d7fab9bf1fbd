"""Bonds and their legs, from the nested attributes of RTM_NEWLINK.

``drivers/net/bonding/bond_netlink.c``: ``bond_fill_info`` (IFLA_BOND_*) and
``bond_fill_slave_info`` (IFLA_BOND_SLAVE_*).
"""

from hopback.snapshot.rows import Bond, BondLeg
from hopback.snapshot.table import Cite
from hopback.sources.live.netlink import Attributes, attributes, mac_of, number, number_of
from hopback.sources.live.reading import Names

_MODE, _ACTIVE_SLAVE, _XMIT_HASH, _ALL_ACTIVE, _AD_INFO = 1, 2, 14, 17, 23
_AD_AGGREGATOR, _AD_PARTNER_MAC = 1, 5
_STATE, _MII_STATUS, _PERM_HWADDR, _AGGREGATOR, _ACTOR_STATE, _PARTNER_STATE = 1, 2, 4, 6, 7, 8

_MODES = (
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
)
_HASHES = ("layer2", "layer3+4", "layer2+3", "encap2+3", "encap3+4", "vlan+srcmac")


def bond(cite: Cite, netns: str, name: str, data: Attributes, known: Names) -> Bond:
    """A bond's settings. Without an active slave (most modes) the kernel sends none."""
    lacp = attributes(data.get(_AD_INFO, b""))
    active = data.get(_ACTIVE_SLAVE)
    return Bond(
        cite=cite,
        netns=netns,
        name=name,
        mode=_word(_MODES, data.get(_MODE)),
        xmit_hash_policy=_word(_HASHES, data.get(_XMIT_HASH)),
        active_slave=known[number(active)] if active else None,
        all_slaves_active=any(data[_ALL_ACTIVE]) if _ALL_ACTIVE in data else None,
        active_aggregator=number_of(lacp, _AD_AGGREGATOR),
        partner_mac=mac_of(lacp, _AD_PARTNER_MAC),
    )


def leg(cite: Cite, netns: str, name: str, master: str, data: Attributes) -> BondLeg:
    """One leg. BOND_STATE_ACTIVE and BOND_LINK_UP are both 0."""
    return BondLeg(
        cite=cite,
        netns=netns,
        name=name,
        bond=master,
        active=not any(data[_STATE]) if _STATE in data else None,
        mii_up=not any(data[_MII_STATUS]) if _MII_STATUS in data else None,
        aggregator=number_of(data, _AGGREGATOR),
        actor_state=number_of(data, _ACTOR_STATE),
        partner_state=number_of(data, _PARTNER_STATE),
        perm_mac=mac_of(data, _PERM_HWADDR),
    )


def _word(words: tuple[str, ...], raw: bytes | None) -> str | None:
    if raw is None:
        return None
    value = number(raw)
    return words[value] if value < len(words) else str(value)
