"""Packet filters: which base chains and legacy tables exist, and their rules.

Reading must not load a module (``nft list``, ``iptables -L`` and ``ebtables -L`` do, and
br_netfilter loaded that way has cut off bridged guests) and not create a table, so each facility is
asked only if it is in the kernel already, and first by its own interface. Programs list the rules
of what was found there; where they cannot, it is told that there are some.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

from hopback.snapshot.rows import FilterChain, FilterRule, FilterSet, PacketFilter, Row
from hopback.snapshot.table import Missing
from hopback.sources.live import rulesets, xtables
from hopback.sources.live.modules import presence
from hopback.sources.live.netlink import (
    NETLINK_NETFILTER,
    Attributes,
    Netlink,
    attribute_list,
    attributes,
    text,
)
from hopback.sources.live.programs import Failed
from hopback.sources.live.reading import Origin, Reading

_TABLES: tuple[type[Row], ...] = (PacketFilter, FilterChain, FilterRule, FilterSet)

_GETCHAIN = 10 << 8 | 4  # NFNL_SUBSYS_NFTABLES, NFT_MSG_GETCHAIN
_NFGENMSG = struct.Struct("=BBH")  # family, version, resource id
_TABLE, _NAME, _HOOK, _POLICY, _USE = 1, 3, 4, 5, 6
_HOOK_DEV, _HOOK_DEVS = 3, 4
_NF_ACCEPT = 1
_FAMILIES = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}

_LEGACY = (
    ("ip", "ip_tables_names", "iptables"),
    ("ip6", "ip6_tables_names", "ip6tables"),
    ("arp", "arp_tables_names", "arptables"),
)
_LAYOUTS = {"ip": xtables.IPV4, "ip6": xtables.IPV6}
_EBTABLES = {
    "ebtable_filter": "CONFIG_BRIDGE_EBT_T_FILTER",
    "ebtable_nat": "CONFIG_BRIDGE_EBT_T_NAT",
    "ebtable_broute": "CONFIG_BRIDGE_EBT_BROUTE",
}


def read(reading: Reading) -> None:
    """Add this namespace's filters; where one cannot be asked, say so: the table is not whole."""
    refused = [*_nft(reading), *_legacy(reading), *_ebtables()]
    for reason, command in refused:
        reading.problem("packet filters", f"{reason}: {command}")
    if refused:
        reasons, commands = zip(*refused, strict=True)
        missing = Missing("; ".join(reasons), "; ".join(dict.fromkeys(commands)))
        for kind in _TABLES:
            reading.builder.miss(kind, missing)
    else:
        # told by looking at all three: none of them alone lists every filter
        origin = reading.open("packet filters (nftables, iptables, ebtables)")
        reading.builder.add((), fills=_TABLES, extent=reading.extent(origin))


def _nft(reading: Reading) -> Iterator[tuple[str, str]]:
    """Add the rules of nf_tables (those of iptables-nft and ebtables-nft are in there too)."""
    command = "sudo nft list ruleset"
    match presence("nf_tables", "CONFIG_NF_TABLES"):
        case "unknown":
            yield "whether nf_tables is loaded cannot be told without loading it", command
        case "present":
            try:
                with Netlink(NETLINK_NETFILTER) as link:
                    body = _NFGENMSG.pack(0, 0, 0)
                    name = "NFT_MSG_GETCHAIN (nft list chains)"
                    origin, found = reading.dump(link, name, _GETCHAIN, body)
                if found.messages:
                    rulesets.read_nft(reading)
            except Failed as error:
                reading.builder.add(decode(origin, found.messages))
                yield f"rules of nftables: {error}", command
            except PermissionError:
                yield "listing nftables chains needs CAP_NET_ADMIN", command
            except OSError as error:
                yield f"nftables chains: {error.strerror}", command


def decode(origin: Origin, messages: Iterable[bytes]) -> Iterator[PacketFilter]:
    """One row for each base chain (only a chain with a hook sees packets by itself) that does
    anything: an empty one that accepts filters nothing.
    """
    for line, message in enumerate(messages, 1):
        family = _FAMILIES.get(message[0], str(message[0]))
        found = attributes(message, _NFGENMSG.size)
        if _HOOK not in found or _is_idle(found):
            continue
        table, chain = text(found.get(_TABLE, b"")), text(found.get(_NAME, b""))
        yield PacketFilter(
            cite=origin.cite(line),
            netns=origin.netns,
            family=family,
            name=f"nft {family} {table} {chain}",
            devices=_devices(attributes(found[_HOOK])),
        )


def _is_idle(found: Attributes) -> bool:
    policy = int.from_bytes(found[_POLICY], "big") if _POLICY in found else _NF_ACCEPT
    return policy == _NF_ACCEPT and not any(found.get(_USE, b""))


def _devices(hook: Attributes) -> tuple[str, ...] | None:
    """A netdev chain is hooked to devices, any other sees all."""
    if _HOOK_DEVS in hook:
        return tuple(text(raw) for _, raw in attribute_list(hook[_HOOK_DEVS]))
    return (text(hook[_HOOK_DEV]),) if _HOOK_DEV in hook else None


def _legacy(reading: Reading) -> Iterator[tuple[str, str]]:
    """Add the chains of the tables that iptables-legacy and its kin made in this namespace."""
    for family, file, tool in _LEGACY:
        try:
            tables = Path("/proc/thread-self/net", file).read_text().split()
            for table in tables:
                if rulesets.read_legacy(reading, tool, table):
                    continue
                origin = reading.open(f"{tool} -t {table} -S")
                reading.builder.add(_table_rows(origin, family, tool, table))
        except FileNotFoundError:  # the module is not there, so no table is
            continue
        except OSError as error:
            yield f"{tool} tables: {error.strerror}", f"sudo {tool}-save"


def _table_rows(origin: Origin, family: str, tool: str, table: str) -> Iterator[PacketFilter]:
    if family not in _LAYOUTS:  # arptables: who has it, has something to filter
        name = f"{tool} {table}"
        yield PacketFilter(cite=origin.cite(1), netns=origin.netns, family=family, name=name)
        return
    for line, chain in enumerate(xtables.chains(_LAYOUTS[family], table), 1):
        if chain.rules or not chain.accepts:
            yield PacketFilter(
                cite=origin.cite(line),
                netns=origin.netns,
                family=family,
                name=f"{tool} {table} {chain.name}",
                devices=chain.devices,
            )


def _ebtables() -> Iterator[tuple[str, str]]:
    """Asking ebtables for a table creates it in this namespace, so it is not asked at all."""
    for module, symbol in _EBTABLES.items():
        if (found := presence(module, symbol)) != "absent":
            verb = "is loaded and may hold rules" if found == "present" else "may be in the kernel"
            yield f"{module} {verb}", "sudo ebtables-legacy-save"
