"""The checks, in the order in which they run: symptoms, then faults, then what explains them."""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Protocol

from hopback.checks import (
    anti_spoof_drop,
    blind_path,
    bond_reflection,
    bridge_loop,
    dad_proxied,
    dad_reflection,
    dhcp_checksum,
    double_delivery,
    duplicate_address,
    duplicate_mac,
    expected_duplicate,
    fdb_misplaced,
    forward_drop,
    hairpin_missing,
    hairpin_reflection,
    ipvs_arp_leak,
    ipvs_loop,
    ipvs_misrouted,
    ipvs_split_brain,
    lag_mismatch,
    mac_move,
    mtu_drop,
    other,
    own_source,
    port_flag_drop,
    routing_loop,
    rp_filter_drop,
    shared_identity,
    snooping_drop,
    stp_delay,
    tunnel_recursion,
    tunnel_reflection,
    uplink_echo,
    vlan_missing,
    weak_host_arp,
    wiring_broken,
)
from hopback.checks.case import Case
from hopback.findings import Finding


class Check(Protocol):
    """What a module of this package that is a check defines."""

    NAME: str
    check: Callable[[Case], Iterator[Finding]]


CHECKS: MappingProxyType[str, Check] = MappingProxyType(
    {
        module.NAME: module
        for module in (
            fdb_misplaced,
            own_source,
            mac_move,
            duplicate_mac,
            dad_proxied,
            weak_host_arp,
            ipvs_split_brain,
            ipvs_arp_leak,
            ipvs_misrouted,
            duplicate_address,
            shared_identity,
            dhcp_checksum,
            wiring_broken,
            lag_mismatch,
            stp_delay,
            port_flag_drop,
            snooping_drop,
            vlan_missing,
            mtu_drop,
            hairpin_missing,
            forward_drop,
            rp_filter_drop,
            anti_spoof_drop,
            other,
            blind_path,
            hairpin_reflection,
            bridge_loop,
            bond_reflection,
            tunnel_reflection,
            tunnel_recursion,
            ipvs_loop,
            routing_loop,
            uplink_echo,
            dad_reflection,
            double_delivery,
            expected_duplicate,
        )
    }
)


def run(case: Case) -> Case:
    """The case with the findings of all checks; each sees what those before it found."""
    for module in CHECKS.values():
        case = case.with_found((*case.found, *module.check(case)))
    return case
