"""The steps of one rule, from left to right (net/netfilter/nft_cmp.c, nft_lookup.c, …)."""

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import TypeVar

from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Question, Why, World
from hopback.datapath.netfilter.fields import Found, Packet, Undecided
from hopback.datapath.netfilter.ipset import looked_up
from hopback.datapath.netfilter.layout import needs_of
from hopback.datapath.netfilter.mangle import Lacking, mangle
from hopback.datapath.netfilter.match import compares, first_entry, masked, position
from hopback.datapath.netfilter.merged import groups
from hopback.datapath.netfilter.nat import bind, end_of
from hopback.datapath.netfilter.nat_target import target_of
from hopback.datapath.netfilter.open import Open
from hopback.datapath.netfilter.ruleset import Chain, Key, Lookup, Ruleset
from hopback.frames.ethernet import ARP, DOT1AD, DOT1Q, IPV4, IPV6
from hopback.network.facts import DevId, Ref, merge_refs
from hopback.snapshot.rows import (
    Choice,
    Element,
    Field,
    FilterRule,
    Mangle,
    Mapped,
    Match,
    Nat,
    Notrack,
    Opaque,
    Step,
    Unsure,
    Value,
    Verdict,
)

T = TypeVar("T")

_EFFECTS = Verdict | Choice | Nat | Mangle | Notrack | Opaque
"""Steps that a rule needs if it is to change anything."""

_PROTOCOLS = (IPV4, IPV6, ARP, DOT1Q, DOT1AD)

_ASKED = "its protocol"
_NAMING = frozenset(("ether type", "meta protocol", "vlan type", _ASKED))
"""Fields by which a rule says itself which network protocol it is about; nft asks once."""

_EITHER = "either family"
"""What a rule is about after ``meta nfproto { ipv4, ipv6 }``: nft 1.0.6 asks no more then."""

YES, NO = "yes", "no"

LOOKS_INTO_VLANS = "do its bridge filters on IP addresses look into frames with a VLAN tag?"
"""nft lists ``ether type ip ip saddr …`` and ``meta protocol ip ip saddr …`` alike; the first,
which old versions make of ``ip saddr …``, takes no frame with a VLAN tag.
"""

COMPARES_AS_ONE = "does its nft make one comparison of several != side by side, as 1.0.6 does?"


class Steps:
    """Evaluates rules for one packet. ``used`` are the sets by which the last rule matched."""

    def __init__(self, rules: Ruleset, world: World, packet: Packet) -> None:
        self.used: tuple[Ref, ...] = ()
        self.done: list[Why] = []
        self._rules = rules
        self._world = world
        self._packet = packet
        self._chain: Chain
        self._rule: FilterRule
        self._told: set[str] = set()

    def verdict(self, chain: Chain, rule: FilterRule) -> Verdict | None:
        """How the rule ends for the packet; None if it does not match or has no verdict."""
        self.used, self._told = (), set()
        self._chain, self._rule = chain, rule
        self._packet.strict = chain.row.backend == "legacy"
        if not any(isinstance(step, _EFFECTS) for step in rule.steps):
            return None  # it counts or logs what it fits
        for group in groups(rule):
            verdict = self._step(group[0]) if len(group) == 1 else self._together(group)
            if isinstance(verdict, Verdict):
                if verdict.kind != "continue":
                    return verdict
            elif not verdict:
                return None
        return None

    def _step(self, step: Step) -> bool | Verdict:
        """Whether to go on with the rule, or its verdict."""
        match step:
            case Verdict():
                return step
            case Match():
                return self._matches(step)
            case Choice(fields=fields, entries=entries, map=name):
                return self._chosen(fields, entries, name) or False
            case Mangle():
                return self._changed(step)
            case Nat():
                return self._translated(step)
            case Notrack():
                if self._packet.skb.connection is None:
                    self._packet.skb = replace(self._packet.skb, untracked=True)
                return True
            case Unsure(text=text):
                return not self._fails_anyway(step) and self._asked(text)
            case Opaque(text=text):
                raise Open(Blind(f"{self._chain.text}: {self._rule.text or text}", (self.ref,)))

    @property
    def ref(self) -> Ref:
        """The rule."""
        return Ref(self._rules.where.host, self._rule.cite)

    def _fails_anyway(self, step: Unsure) -> bool:
        """Whether a match right behind does not hold, so that nobody needs to know."""
        behind = self._rule.steps[self._rule.steps.index(step) + 1 :]
        matches = takewhile(lambda each: isinstance(each, Match | Unsure), behind)
        return any(isinstance(each, Match) and not self._matches(each) for each in matches)

    def _together(self, group: Sequence[Step]) -> bool:
        """Matches by ``!=`` that nft may have made one of: then not all have to hold, but one."""
        if any(isinstance(step, Match) and self._found(step.fields) is None for step in group):
            return False
        held = [self._step(step) is True for step in group]
        return all(held) or (any(held) and self._asks_nft(COMPARES_AS_ONE, NO))

    def _asked(self, text: str) -> bool:
        """What the packet does not decide. A rate that is not exceeded is the usual case."""
        seen = self._packet.seen
        subject = self._rules.where._replace(name=seen.indev or seen.outdev)
        words = self._rule.text or text
        default = NO if " over " in f" {words} " else YES
        return self._ask(subject, f"does the packet match “{words}”?", default)

    def _asks_nft(self, text: str, default: str) -> bool:
        """What nft's listings do not tell."""
        return self._ask(self._rules.where, text, default)

    def _ask(self, subject: DevId, text: str, default: str) -> bool:
        question = Question(subject, text, (YES, NO), default)
        answer = self._world.get(question)
        if answer is None:
            raise Open(Ask(question))
        return answer == YES

    def _matches(self, step: Match) -> bool:
        try:
            lookup = self._lookup(step.set) if step.set else None
            if lookup is not None and lookup.row.backend == "ipset":
                found = looked_up(self._packet, lookup.row.kind, step.fields)
            else:
                found = self._found(step.fields)
            if found is None:
                return _is_absent(step)
            matches = compares(step, found, lookup)
        except Undecided:
            return self._asked(" ".join(field.key for field in step.fields))
        if matches and lookup is not None:
            self.used += (lookup.ref,)
        if matches and any(field.key.startswith("ct ") for field in step.fields):
            connection = self._packet.skb.connection
            self.used += connection.refs if connection else ()
        if len(step.values) > 1 and any(field.key == "meta nfproto" for field in step.fields):
            self._told.add(_EITHER)
        if step.op == "==" and len(step.values) == len(step.fields) == 1:
            self._tell(step.fields[0].key, step.values[0][0])
        return matches

    def _tell(self, key: str, value: Value) -> None:
        """The rule has compared that; nft knows few protocols by their number."""
        if key not in _NAMING or value in _PROTOCOLS or self._packet.strict:
            self._told.add(key)

    def _found(self, fields: Sequence[Field]) -> tuple[Found, ...] | None:
        """What the packet has in the fields; None if it lacks one."""
        values: list[Found] = []
        for field in fields:
            value = masked(field, self._packet.get(field.key)) if self._has(field) else None
            if value is None:
                return None
            values.append(value)
        return tuple(values)

    def _has(self, field: Field) -> bool:
        """Whether the packet is of the protocol that the field belongs to."""
        told = not self._told.isdisjoint(_NAMING)
        needs = needs_of(field.key)
        hidden = needs.ethertype in (IPV4, IPV6) and not needs.framed and self._is_hidden(told)
        if hidden and not self._asks_nft(LOOKS_INTO_VLANS, YES):
            return False
        has = self._packet.has_protocol(needs, told=told)
        if not has:
            self._refuse_foreign(field.key)
        if has and needs.ethertype is not None:
            self._told.add(_ASKED)
        return has

    def _refuse_foreign(self, key: str) -> None:
        """The kernel may look for a field of one family in a packet of the other: not modelled."""
        needs = needs_of(key)
        loose = _EITHER in self._told and needs.ethertype in (IPV4, IPV6)
        if loose and self._packet.has_protocol(needs, told=True):
            raise self._unknown(f"{key} of another family's packet")

    def _is_hidden(self, told: bool) -> bool:
        """Whether the packet has a VLAN tag, and the rule says nothing of VLANs or protocols."""
        packet = self._packet
        tagged = packet.headers.tagged and not packet.routed
        return tagged and not told and not any(key.startswith("vlan") for key in self._told)

    def _chosen(
        self, fields: Sequence[Field], entries: Sequence[tuple[Element, Verdict]], name: str
    ) -> Verdict | None:
        return self._entry(fields, entries, name, lambda lookup: lookup.row.verdicts)

    def mapped(self, mapped: Mapped) -> Element | None:
        """The value that a map has for the packet."""
        return self._entry(
            mapped.fields, mapped.entries, mapped.map, lambda lookup: lookup.row.values
        )

    def _entry(
        self,
        fields: Sequence[Field],
        entries: Sequence[tuple[Element, T]],
        name: str,
        column: Callable[[Lookup], Sequence[T]],
    ) -> T | None:
        try:
            found = self._found(fields)
            if found is None:
                return None
            if not name:
                return first_entry(entries, found)
            lookup = self._lookup(name)
            number = None if lookup is None else position(lookup, found)
        except Undecided:
            raise self._unknown("its map") from None
        if lookup is None or (number is None and not lookup.row.whole):
            raise self._unknown(f"map {name}, not listed")
        if number is None:
            return None
        self.used += (lookup.ref,)
        values = column(lookup)
        if number >= len(values):
            raise self._unknown(f"map {name}, not listed")
        return values[number]

    def _unknown(self, what: str) -> Open:
        return Open(Blind(f"{self._chain.text}: {self._rule.text} ({what})", (self.ref,)))

    def _lookup(self, name: str) -> Lookup | None:
        row = self._chain.row
        sets = self._rules.sets
        found = sets.get(Key(row.backend, row.family, row.table, name))
        return found or sets.get(Key("ipset", None, "", name))

    def _changed(self, step: Mangle) -> bool:
        try:
            rule = mangle(self._packet, step)
        except Lacking:
            self._refuse_foreign(step.key)
            return False
        except Undecided:
            raise self._unknown(f"sets {step.key}") from None
        if rule is not None:
            self.done.append(Why(rule, (self.ref,)))
        return True

    def _translated(self, step: Nat) -> bool | Verdict:
        """The end of the connection that this hook settles (nft_nat_eval, nft_masq_eval …)."""
        skb = self._packet.skb
        if skb.connection is None:
            return False
        try:
            to = target_of(self._packet, skb.connection, step, self.mapped)
        except Undecided:
            raise self._unknown("an address of the host") from None
        if to is None:
            return False
        if isinstance(to, Verdict):
            return to
        end = end_of(self._packet.seen.hook)
        bound = bind(self._rules, skb.connection, end, to)
        refs = merge_refs(bound.refs, (self.ref,), self.used)
        by = self._packet.seen.outdev if step.kind == "masquerade" else bound.masqueraded
        connection = replace(bound, refs=refs, masqueraded=by)
        self._packet.skb = replace(skb, connection=connection)
        return Verdict("accept")


def _is_absent(step: Match) -> bool:
    """Whether a rule matches a packet without the fields: ``! --match-set`` does (xt_set.c)."""
    return step.op in ("!=", "lacks") and all(field.key in ("src", "dst") for field in step.fields)
