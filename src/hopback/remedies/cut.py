"""A packet filter that drops some frames at one port, in three spellings: nft, ebtables, rows.

The kernel has all of them; which a host uses is its own matter. Each is in a table of ours, so that
nobody else's rules are touched, and the undo takes away no more than what was put there.
"""

import re
from functools import partial
from typing import Literal

from msgspec import Struct

from hopback.findings import Fix, FixFile
from hopback.frames.mac import Mac, format_mac
from hopback.remedies.remedy import Remedy
from hopback.remedies.target import Target
from hopback.snapshot.model import Snapshot
from hopback.snapshot.patch import Add, Edit
from hopback.snapshot.rows import Field, FilterChain, FilterRule, Match, Verdict
from hopback.snapshot.rows import Step as RuleStep
from hopback.snapshot.table import Cite

_PRIORITY = {"prerouting": -300, "forward": -200, "postrouting": 300}
"""NF_BR_PRI_NAT_DST_BRIDGED, _FILTER_BRIDGED, _NAT_SRC (include/uapi/linux/netfilter_bridge.h)."""

_GROUPS = {"group": (1 << 40, 1 << 40), "ipv6": (0xFFFF << 32, 0x3333 << 32)}


class Cut(Struct, frozen=True):
    """Which frames are dropped where: those that came in by the port, leave by it, or both.

    ``own``: of the station's own MAC alone. ``to``: every group, IPv6 groups, or anything.
    """

    hook: Literal["prerouting", "forward", "postrouting"]
    entering: bool
    leaving: bool
    own: bool = True
    to: Literal["group", "ipv6", "anything"] = "group"


def by_nft(name: str, cut: Cut, blast_radius: str) -> Remedy:
    """The remedy ``name`` that is no more than this cut, as a table of nftables."""

    def plan(target: Target) -> Fix | None:
        if cut.own and target.mac is None:
            return None
        file = nft_file(cut, target)
        return Fix(
            name=name,
            host=target.host,
            commands=(f"{target.inside}nft -f {file.path}",),
            undo=(f"{target.inside}nft delete table bridge {table(target)}",),
            files=(file,),
            blast_radius=blast_radius,
        )

    return Remedy(name, plan, partial(rows, cut), filters=True)


def by_ebtables(name: str, cut: Cut, blast_radius: str) -> Remedy:
    """The same as a rule of ebtables."""

    def plan(target: Target) -> Fix | None:
        if cut.own and target.mac is None:
            return None
        words = ebtables_rule(cut, target)
        tool = f"{target.inside}ebtables -t {'filter' if cut.hook == 'forward' else 'nat'}"
        return Fix(
            name=name,
            host=target.host,
            commands=(f"{tool} -I {words}",),
            undo=(f"{tool} -D {words}",),
            blast_radius=blast_radius,
        )

    return Remedy(name, plan, partial(rows, cut), filters=True)


def table(target: Target) -> str:
    """The name of our table for the port; nft takes fewer characters than device names have."""
    return "hopback-" + re.sub(r"[^A-Za-z0-9/._-]", "_", target.port.name)


def rule(cut: Cut, target: Target) -> str:
    """The rule, as nft(8) spells it."""
    port = target.port.name
    words = [f'iifname "{port}"'] if cut.entering else []
    words += [f'oifname "{port}"'] if cut.leaving else []
    words += [f"ether saddr {format_mac(_own(target))}"] if cut.own else []
    if cut.to in _GROUPS:
        mask, value = (format_mac(Mac(bits)) for bits in _GROUPS[cut.to])
        words.append(f"ether daddr & {mask} == {value}")
    return " ".join((*words, "counter drop"))


def nft_file(cut: Cut, target: Target) -> FixFile:
    """A file for ``nft -f``: it may be loaded again, and changes nothing then."""
    name = table(target)
    content = (
        f"table bridge {name}\n"
        f"delete table bridge {name}\n"
        f"table bridge {name} {{\n"
        f"  chain {cut.hook} {{\n"
        f"    type filter hook {cut.hook} priority {_PRIORITY[cut.hook]}; policy accept;\n"
        f"    {rule(cut, target)}\n"
        "  }\n"
        "}\n"
    )
    return FixFile(f"/etc/hopback/{name}.nft", content)


def ebtables_rule(cut: Cut, target: Target) -> str:
    """The chain and the rule, as ebtables(8) spells them."""
    port = target.port.name
    words = [f"-i {port}"] if cut.entering else []
    words += [f"-o {port}"] if cut.leaving else []
    words += [f"-s {format_mac(_own(target))}"] if cut.own else []
    if cut.to in _GROUPS:
        mask, value = (format_mac(Mac(bits)) for bits in _GROUPS[cut.to])
        words.append(f"-d {value}/{mask}")
    return " ".join((cut.hook.upper(), *words, "-j DROP"))


def rows(cut: Cut, snapshot: Snapshot, target: Target) -> tuple[Edit, ...]:
    """The same as rows: what reading the host would show then."""
    name, here = table(target), Cite(len(snapshot.sources), 1)
    chain = FilterChain(
        cite=here,
        netns=target.port.netns,
        family="bridge",
        table=name,
        name=cut.hook,
        hook=cut.hook,
        priority=_PRIORITY[cut.hook],
        policy="accept",
    )
    found = FilterRule(
        cite=here,
        netns=target.port.netns,
        family="bridge",
        table=name,
        chain=cut.hook,
        place=1,
        steps=_steps(cut, target),
        text=rule(cut, target),
    )
    return Add(chain), Add(found)


def _steps(cut: Cut, target: Target) -> tuple[RuleStep, ...]:
    port = target.port.name
    steps: list[RuleStep] = []
    if cut.entering:
        steps.append(Match((Field("meta iifname"),), ((port,),)))
    if cut.leaving:
        steps.append(Match((Field("meta oifname"),), ((port,),)))
    if cut.own:
        steps.append(Match((Field("ether saddr"),), ((_own(target),),)))
    if cut.to in _GROUPS:
        mask, value = _GROUPS[cut.to]
        steps.append(Match((Field("ether daddr", mask),), ((value,),)))
    return (*steps, Verdict("drop"))


def _own(target: Target) -> Mac:
    if target.mac is None:
        raise ValueError(f"nobody told whose MAC is behind {target.port.name}")
    return target.mac
