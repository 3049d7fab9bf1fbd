"""The packet filters that can touch the segment: those of its namespace, rebuilt in the lab.

They are loaded as nftables, whatever listed them, from the same rows that the model evaluates. So
whatever cannot be loaded is taken from the model too.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from hopback.datapath.bridge.nf_state import NfState
from hopback.datapath.effects import Ask
from hopback.datapath.model import Model
from hopback.datapath.netfilter.addresses import Addresses
from hopback.datapath.netfilter.hooks import Netfilter, netfilter_of
from hopback.datapath.netfilter.listings import Listed, chosen
from hopback.datapath.netfilter.packet import ChainFamily
from hopback.datapath.netfilter.ruleset import Ruleset, ruleset_of
from hopback.lab.devices import HOST
from hopback.lab.nft.script import Unsaid, script
from hopback.lab.segment import Segment, need
from hopback.lab.steps import Facility, Refused, Step
from hopback.network.facts import Fact
from hopback.snapshot.rows import Choice, FilterChain, FilterRule, FilterSet, Verdict

_BRIDGED: Mapping[str, tuple[ChainFamily, ...]] = {
    "ip": ("ip",),
    "ip6": ("ip6",),
    "inet": ("ip", "ip6"),
    "arp": ("arp",),
}
"""The families that see bridged packets by br_netfilter alone."""
_ROUTED = frozenset({"ip", "inet"})
_PASSED = frozenset({"prerouting", "forward", "postrouting"})
_CALLS: Mapping[ChainFamily, str] = {"ip": "iptables", "ip6": "ip6tables", "arp": "arptables"}
_NF = "net/bridge/bridge-nf-"
_TOLD_MAX = 20


class Filters(Struct, frozen=True):
    """The steps that load them, what the model is to go by, and what is not as recorded.

    ``routed``: what the host routes meets them, too. ``notes`` say how it was done, ``gaps`` what
    is missing.
    """

    steps: tuple[Step, ...]
    routed: bool
    netfilter: Netfilter | None
    bridge_nf: NfState
    notes: tuple[str, ...]
    gaps: tuple[str, ...]

    def seen_by(self, model: Model, segment: Segment) -> Model:
        """The model with these filters and no others; its host has no addresses."""
        here = segment.bridge.id
        return replace(
            model,
            netfilter={} if self.netfilter is None else {here[:2]: self.netfilter},
            bridge_nf={**model.bridge_nf, here: self.bridge_nf},
            hosts={},
        )


def filters_of(
    model: Model,
    segment: Segment,
    partial: bool,
    capable: Collection[Facility],
    *,
    routed: bool = False,
) -> Filters:
    """What of the host's filters is loaded. Raises Refused for what cannot be, by name.

    With ``partial`` it is left out, and a gap. With ``routed`` those that routed packets meet are
    loaded, too, as far as all of them can be.
    """
    if not routed:
        return _loaded(model, segment, partial, capable, routed=False)
    try:
        return _loaded(model, segment, partial, capable, routed=True)
    except Refused as refused:
        filters = _loaded(model, segment, partial, capable, routed=False)
        gap = f"what NAT leads back to the guest is not played: {refused}"
        return replace(filters, gaps=(*filters.gaps, gap))


def _loaded(
    model: Model,
    segment: Segment,
    partial: bool,
    capable: Collection[Facility],
    *,
    routed: bool,
) -> Filters:
    here = segment.bridge.id
    snapshot = model.network.snapshots[here.host]
    settings, notes = _settings(model.bridge_nf[here])
    every = chosen(snapshot, here.netns)
    listed = _reached(every, _touching(every, segment, settings, routed))
    gaps = list(_missing(listed, settings, partial, capable))
    if gaps:
        listed = _reached(listed, _possible(listed, capable))
    made = script(listed)
    for unsaid in made.unsaid:
        need(partial, f"{_named(unsaid)} is not loaded: {unsaid.why}")
    gaps += [f"{_named(unsaid)}: {unsaid.why}" for unsaid in made.unsaid[:_TOLD_MAX]]
    if len(made.unsaid) > _TOLD_MAX:
        gaps.append(f"{len(made.unsaid) - _TOLD_MAX} more rules")
    listed = _without(listed, made.unsaid)
    if "br_netfilter" not in capable:
        settings = _calling(settings, ())
    rules = ruleset_of(snapshot, here.netns, listed)
    gaps += _unlisted(model, segment, ruleset_of(snapshot, here.netns, every))
    return Filters(
        steps=tuple(_steps(settings, made.lines, capable)),
        routed=routed and "nf_tables_ip" in capable,
        netfilter=netfilter_of(_as_made(rules)) if listed.chains else None,
        bridge_nf=settings,
        notes=(*notes, *_notes(listed)),
        gaps=tuple(gaps),
    )


def _as_made(rules: Ruleset) -> Ruleset:
    """The rules in a namespace without addresses, that has seen no packet yet."""
    return replace(rules, unseen=(), connections={}, addresses=Addresses(whole=True))


def _unlisted(model: Model, segment: Segment, rules: Ruleset) -> Iterator[str]:
    """What is known to filter the segment's frames, and of which there are no rules to load.

    And ports whose names the rules do not know.
    """
    names = {wire.port.id.name for wire in segment.wires}
    for wire in segment.wires:
        if rules.chains and wire.name != wire.port.id.name:
            yield f"filters do not know {wire.port.id.name!r} as {wire.name}"
    for unseen in rules.unseen:
        bridged = unseen.family in ("bridge", "netdev")
        if bridged and (unseen.devices is None or not names.isdisjoint(unseen.devices)):
            yield f"{unseen.what} is not rebuilt"
    here = segment.bridge.id
    if any(row.family == "bridge" for row in model.network.snapshots[here.host].filter_chains.rows):
        return
    for nic in model.network.snapshots[here.host].guest_nics.rows:
        if nic.filter and nic.netns == here.netns and nic.target in names:
            yield f"libvirt filter {nic.filter} on {nic.target} is not rebuilt"


def _settings(nf: NfState) -> tuple[NfState, tuple[str, ...]]:
    """Every family told, and what had to be assumed."""
    calls: dict[ChainFamily, Fact[bool]] = {}
    open_ = []
    for family in _CALLS:
        told = nf.on({}, family)
        if isinstance(told, Ask):
            open_.append((family, told.question.default == "yes"))
            told = Fact(open_[-1][1], ())
        calls[family] = told
    notes = tuple(
        f"br_netfilter hands bridged packets to {_CALLS[family]}: nothing recorded tells"
        for family, likely in open_
        if likely
    )
    return replace(nf, calls=calls), notes


def _calling(nf: NfState, families: Collection[ChainFamily]) -> NfState:
    return replace(nf, calls={family: Fact(family in families, ()) for family in _CALLS})


def _touching(listed: Listed, segment: Segment, nf: NfState, routed: bool) -> list[FilterChain]:
    """The base chains that frames of the segment meet, and that do anything."""
    names = {id_.name for id_ in (*segment.names(), *segment.legs())}
    return [row for row in listed.chains if _touches(row, names, nf, routed) and _does(listed, row)]


def _touches(row: FilterChain, names: set[str], nf: NfState, routed: bool) -> bool:
    if row.hook is None:
        return False
    if routed and row.family in _ROUTED and row.hook != "ingress":
        return True
    if row.hook in ("ingress", "egress"):
        return row.devices is None or not names.isdisjoint(row.devices)
    if row.family == "bridge":
        return True
    families = _BRIDGED.get(row.family, ())
    return row.hook in _PASSED and any(nf.calls[family].value for family in families)


def _does(listed: Listed, row: FilterChain) -> bool:
    return row.policy == "drop" or not row.whole or bool(listed.rules.get(_key(row)))


def _missing(
    listed: Listed, nf: NfState, partial: bool, capable: Collection[Facility]
) -> Iterator[str]:
    """What the lab's kernel lacks for the chains."""
    bridged = [row for row in listed.chains if row.family == "bridge"]
    others = [row for row in listed.chains if row.family != "bridge"]
    if bridged and "nf_tables" not in capable:
        what = "the host's packet filters need nft, and nf_tables in the kernel"
        need(partial, what, denied=True)
        yield "packet filters of bridges are not rebuilt"
    if others and "nf_tables_ip" not in capable:
        families = ", ".join(dict.fromkeys(row.family for row in others))
        what = f"packet filters of {families} need a kernel that has them (--in netns)"
        need(partial, what, denied=True)
        yield f"packet filters of {families} are not rebuilt"
    called = [
        f
        for f in _CALLS
        if nf.calls[f].value and any(f in _BRIDGED.get(r.family, ()) for r in others)
    ]
    if called and "br_netfilter" not in capable:
        what = "bridged packets meet the filters of IP: that needs br_netfilter"
        need(partial, what, denied=True)
        yield "br_netfilter is not rebuilt"


def _possible(listed: Listed, capable: Collection[Facility]) -> list[FilterChain]:
    """The base chains that can be loaded all the same."""
    able = {"bridge": "nf_tables" in capable}
    others = "nf_tables_ip" in capable
    called = others and "br_netfilter" in capable
    return [
        row
        for row in listed.chains
        if row.hook and able.get(row.family, called if row.family in _BRIDGED else others)
    ]


def _reached(listed: Listed, base: Collection[FilterChain]) -> Listed:
    """The base chains, those that their rules lead to, and the sets of their tables."""
    by_key = {_key(row): row for row in listed.chains}
    found = {_key(row): row for row in base}
    todo = list(found)
    while todo:
        at = todo.pop()
        for rule in listed.rules.get(at, ()):
            for name in _led_to(rule, listed):
                key = (*at[:3], name)
                if key in by_key and key not in found:
                    found[key] = by_key[key]
                    todo.append(key)
    tables = {key[:3] for key in found}
    return Listed(
        tuple(row for key, row in by_key.items() if key in found),
        {key: rules for key, rules in listed.rules.items() if key in found},
        tuple(row for row in listed.sets if (row.backend, row.family, row.table) in tables),
    )


def _led_to(rule: FilterRule, listed: Listed) -> Iterator[str]:
    for step in rule.steps:
        if isinstance(step, Verdict) and step.chain:
            yield step.chain
        if isinstance(step, Choice):
            verdicts = [verdict for _, verdict in step.entries]
            if step.map:
                at = (rule.backend, rule.family, rule.table, step.map)
                verdicts = [v for row in listed.sets if _key(row) == at for v in row.verdicts]
            yield from (verdict.chain for verdict in verdicts if verdict.chain)


def _without(listed: Listed, unsaid: Collection[Unsaid]) -> Listed:
    gone = {id(one.row) for one in unsaid}
    return Listed(
        tuple(row for row in listed.chains if id(row) not in gone),
        {k: tuple(r for r in rules if id(r) not in gone) for k, rules in listed.rules.items()},
        listed.sets,
    )


def _key(row: FilterChain | FilterSet) -> tuple[str, str | None, str, str]:
    return row.backend, row.family, row.table, row.name


def _named(unsaid: Unsaid) -> str:
    row = unsaid.row
    if isinstance(row, FilterChain):
        return f"the chain {row.family} {row.table} {row.name}"
    return f"the rule “{row.text}” of {row.family} {row.table} {row.chain}"


def _steps(nf: NfState, lines: Sequence[str], capable: Collection[Facility]) -> Iterator[Step]:
    """A new namespace has br_netfilter on (net/bridge/br_netfilter_hooks.c:brnf_init_net)."""
    if "br_netfilter" in capable:
        for family, name in _CALLS.items():
            line = f"{_NF}call-{name}={int(nf.calls[family].value)}"
            yield Step(HOST, "sysctl", line, "as recorded, on or off")
        for name, on in (("vlan", nf.vlan_tagged), ("pppoe", nf.pppoe)):
            yield Step(HOST, "sysctl", f"{_NF}filter-{name}-tagged={int(on)}")
    for line in lines:
        yield Step(HOST, "nft", line, "the host's packet filters" if line == lines[0] else "")


def _notes(listed: Listed) -> Iterator[str]:
    families = dict.fromkeys(row.family for row in listed.chains if row.backend == "legacy")
    for family in families:
        yield f"rules of {_TOOLS.get(family, family)} are loaded as nftables"


_TOOLS = {"bridge": "ebtables", "ip": "iptables", "ip6": "ip6tables", "arp": "arptables"}
