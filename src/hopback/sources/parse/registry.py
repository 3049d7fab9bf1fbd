"""The parsers by name, and which of them reads a listing.

A parser is found by the command a listing came with, else by the shape of its first line. Modules
are imported when they are first asked for, so that a paste of one table does not pay for all.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from typing import cast

from hopback.sources.parse.base import Parser
from hopback.sources.parse.commands import without_options

NAMES: tuple[str, ...] = (
    # The order decides between shapes: those that say more of a line come first.
    "virsh_xml",
    "bonding",
    "vlan_config",
    "sysfs",
    "brctl_showstp",
    "brctl_showmacs",
    "brctl_show",
    "bridge_monitor",
    "bridge_fdb",
    "bridge_mdb",
    "bridge_vlan",
    "bridge_link",
    "ip_addr",
    "ip_link",
    "ip_neigh",
    "ip_rule",
    "ip_route_get",
    "ip_route",
    "ip_tunnel",
    "wg",
    "ifconfig",
    "virsh_domiflist",
    "virsh_list",
    "virsh_nwfilter_list",
    "virsh_nwfilter_binding_list",
    "pve_config",
    "nft",
    "xtables",
    "ipset",
    "conntrack",
    "ipvs",
    "keepalived",
    "counters",
    "cpu_shares",
    "evpn",
    "arping",
    "ping",
    "traceroute",
    "tcpdump",
    "hostnamectl",
    "uname",
    "sysctl",
    "dhcp_leases",
    "crictl_pods",
    "hairpin_advice",
    "kubelet",
    "shell_script",
    "mac_flap",
    "kernel_log",
)
"""Every parser module of this package."""

LOOK = 1000
"""How many characters of a line tell its shape: JSON may be one line of megabytes."""


@cache
def parser(name: str) -> Parser:
    """The parser module ``name``; KeyError if it is none."""
    if name not in NAMES:
        raise KeyError(name)
    return cast(Parser, import_module(f"{__package__}.{name}"))


def name_of(found: Parser) -> str:
    """The name under which a parser stands in ``NAMES``."""
    return str(found.__name__).rpartition(".")[2]  # type: ignore[attr-defined]


def parsers() -> Iterator[Parser]:
    """All of them, in order."""
    return map(parser, NAMES)


def for_command(words: Sequence[str]) -> Parser | None:
    """The parser of what a command prints; the longest of the commands that fit decides."""
    if not words:
        return None
    best: tuple[int, Parser] | None = None
    plain = without_options(words)
    for found in parsers():
        for command in found.COMMANDS:
            if len(command) > (best[0] if best else 0) and _fits(command, plain):
                best = len(command), found
    return best[1] if best else None


def _fits(command: Sequence[str], words: Sequence[str]) -> bool:
    if len(command) > len(words):
        return False
    return all(_same(known, word) for known, word in zip(command, words, strict=False))


def _same(known: str, word: str) -> bool:
    """A file's path in ``COMMANDS`` stands for all below it, ``*.sh`` for all that end so."""
    return any(
        word == one
        or (one.startswith("/") and word.startswith(one))
        or (one.startswith("*") and word.endswith(one[1:]))
        for one in known.split("|")
    )


def for_line(line: str) -> Parser | None:
    """The parser whose listings can begin with ``line``."""
    begin = line[:LOOK]
    for shape, found in _shapes():
        if shape(begin):
            return found
    return None


@cache
def _shapes() -> tuple[tuple[Callable[[str], object], Parser], ...]:
    return tuple((found.SHAPE.match, found) for found in parsers() if found.SHAPE is not None)


def title(found: Parser) -> str:
    """What to call a listing that came without its command."""
    return " ".join(word.split("|")[0] for word in found.COMMANDS[0])
