"""Behaviour that differs between kernel versions, as named flags.

Stable and vendor kernels backport, so the model asks for a behaviour and the version is only the
default for it. Only flags that some rule of the model reads stand here.
"""

import re

from msgspec import Struct

_RELEASE = re.compile(r"(\d+)\.(\d+)(?:\.(\d{1,6}))?")


class Behaviour(Struct, frozen=True):
    """What this kernel does; the comments name the change upstream.

    ``lldp_forwardable``: group_fwd_mask accepts 01:80:C2:00:00:0E (4.9; 3.x refused bit 14).
    ``port_group_fwd_mask``: the mask exists for each port (4.15).
    ``isolated``: ports can be isolated (4.18). ``sticky``: entries can be pinned (4.20).
    ``locked``: ports can be locked (5.18). ``bcast_flood``: a flag of its own (4.12).
    ``lookup_checks_age``: an entry past its time is not found (before 4.11, bfd0aeac52f7);
    later kernels forward by it until the collector removes it.
    ``bond_link_local_on_leg``: an inactive leg keeps link-local frames to itself (5.0; before,
    only sockets bound to the leg see them, and 4.19 copies them to the bond, which is not
    modelled). ``bond_l2_hostorder``: the transmit hash takes the EtherType in host order (5.15).
    ``bond_halves_hash``: its lowest bit is dropped (4.9), ``bond_halves_l34_alone``: but only that
    of layer3+4 (5.15). ``bond_hashes_icmp``: echoes are spread by their
    identifier, errors go with what they quote (5.5).
    ``mab``: an unknown station of a locked port is entered, to wait for its authorisation (6.2).
    ``backup_port``: another port takes what is for one without a carrier (4.19).
    ``unicast_question_passes``: neighbour suppression leaves unicast questions alone (6.14).
    ``mcast_needs_querier``: snooping filters only where a querier is (3.11, b00589af3b04).
    ``nd_snooped``: it filters all IPv6 groups but ff02::1, so neighbour discovery too (3.12).
    ``enhanced_dad``: a station knows its own solicitation by its nonce (4.10, adc176c54722).
    ``dad_all``: accept_dad and optimistic_dad of ``all`` count, too (4.14, 35e015e1f577).
    ``tunnel_nesting``: tunnels have a limit of their own to how often a packet is wrapped (7.0, and
    6.18 as it is now). ``wireguard_nests``: a route to a peer's endpoint may lead through
    the device itself (5.7, b673e24aad36).
    ``logs_prefixed``: IPv6's lines begin with "IPv6: " (3.5). ``logs_name_mac``: they name who has
    the duplicate (4.15, da13c59b9936).
    ``ipvs_ttl``: IPVS takes one from the TTL of what it sends to another host (4.10,
    8d8e20e2d7bb). ``ipvs_backup_only``: a backup may leave everything alone (3.9),
    ``ipvs_ignore_tunneled``: and a director what comes out of a tunnel (4.3).
    ``ipvs_schedule_icmp``: errors may begin connections (4.3).
    ``ipvs_conn_reuse``: a SYN takes the place of a connection that is over (4.1),
    ``ipvs_leaves_weightless``: or whose server has no weight (5.9). ``multipath_by_source``: of
    several next hops one takes the host's own packets whose address they have (6.16).
    ``tunnels_forget_ipvs``: what comes out of a tunnel is new to IPVS, whatever ignore_tunneled
    says (6.14, de2c211868b9; stable kernels have it too, 6.1.176 for one).
    ``rules_name_vrfs``: iif and oif of a policy rule may be the VRF of a device (6.15).
    """

    lldp_forwardable: bool = True
    port_group_fwd_mask: bool = True
    isolated: bool = True
    sticky: bool = True
    locked: bool = True
    bcast_flood: bool = True
    lookup_checks_age: bool = False
    bond_link_local_on_leg: bool = True
    bond_l2_hostorder: bool = True
    bond_halves_hash: bool = True
    bond_halves_l34_alone: bool = True
    bond_hashes_icmp: bool = True
    mab: bool = True
    backup_port: bool = True
    unicast_question_passes: bool = True
    mcast_needs_querier: bool = True
    nd_snooped: bool = True
    enhanced_dad: bool = True
    dad_all: bool = True
    tunnel_nesting: bool = True
    wireguard_nests: bool = True
    logs_prefixed: bool = True
    logs_name_mac: bool = True
    ipvs_ttl: bool = True
    ipvs_backup_only: bool = True
    ipvs_ignore_tunneled: bool = True
    ipvs_schedule_icmp: bool = True
    ipvs_conn_reuse: bool = True
    ipvs_leaves_weightless: bool = True
    multipath_by_source: bool = True
    rules_name_vrfs: bool = True
    tunnels_forget_ipvs: bool = True


CURRENT = Behaviour()
"""The behaviour of the newest kernels, and of those whose version nobody gave."""


def behaviour_of(release: str | None) -> Behaviour:
    """The defaults for a release string such as ``6.1.0-18-amd64``."""
    found = _RELEASE.match(release or "")
    if found is None:
        return CURRENT
    version = (int(found[1]), int(found[2]))
    return Behaviour(
        lldp_forwardable=version >= (4, 9),
        port_group_fwd_mask=version >= (4, 15),
        isolated=version >= (4, 18),
        sticky=version >= (4, 20),
        locked=version >= (5, 18),
        bcast_flood=version >= (4, 12),
        lookup_checks_age=version < (4, 11),
        bond_link_local_on_leg=version >= (5, 0),
        bond_l2_hostorder=version >= (5, 15),
        bond_halves_hash=version >= (4, 9),
        bond_halves_l34_alone=version >= (5, 15),
        bond_hashes_icmp=version >= (5, 5),
        mab=version >= (6, 2),
        backup_port=version >= (4, 19),
        unicast_question_passes=version >= (6, 14),
        mcast_needs_querier=version >= (3, 11),
        nd_snooped=version >= (3, 12),
        enhanced_dad=version >= (4, 10),
        dad_all=version >= (4, 14),
        tunnel_nesting=version >= (6, 18),
        wireguard_nests=version >= (5, 7),
        logs_prefixed=version >= (3, 5),
        logs_name_mac=version >= (4, 15),
        ipvs_ttl=version >= (4, 10),
        ipvs_backup_only=version >= (3, 9),
        ipvs_ignore_tunneled=version >= (4, 3),
        ipvs_schedule_icmp=version >= (4, 3),
        ipvs_conn_reuse=version >= (4, 1),
        ipvs_leaves_weightless=version >= (5, 9),
        multipath_by_source=version >= (6, 16),
        rules_name_vrfs=version >= (6, 15),
        tunnels_forget_ipvs=version >= (6, 14) or (version == (6, 1) and int(found[3] or 0) >= 176),
    )
