"""A packet goes through one base chain, and the chains that it jumps to.

net/netfilter/nf_tables_core.c:nft_do_chain, net/ipv4/netfilter/ip_tables.c:ipt_do_table,
net/bridge/netfilter/ebtables.c:ebt_do_table; Linux 6.12.
"""

from typing import NamedTuple

from hopback.datapath.effects import Blind
from hopback.datapath.netfilter.fields import Packet
from hopback.datapath.netfilter.open import Open
from hopback.datapath.netfilter.packet import Stopped
from hopback.datapath.netfilter.ruleset import Chain, Key, Ruleset
from hopback.datapath.netfilter.steps import Steps
from hopback.network.facts import Ref, merge_refs
from hopback.snapshot.rows import FilterRule, Verdict

_JUMPS_MAX = 16  # NFT_JUMP_STACK_SIZE
_TURNS_MAX = 1000


class _Place(NamedTuple):
    """The next rule of a chain, and the rules by whose jumps it was reached."""

    chain: Chain
    number: int
    by: tuple[Ref, ...]


class Walk:
    """One packet, one base chain. ``without``: a rule that is left out, to see what it decides.

    ``turns`` are the rules that matched and sent the packet elsewhere than to the next rule, each
    with the rows by which it did.
    """

    def __init__(
        self, rules: Ruleset, packet: Packet, steps: Steps, without: FilterRule | None = None
    ) -> None:
        self.turns: list[tuple[FilterRule, tuple[Ref, ...]]] = []
        self._rules = rules
        self._packet = packet
        self._steps = steps
        self._without = without
        self._stack: list[_Place] = []
        self._left = _TURNS_MAX

    def through(self, base: Chain) -> Stopped | None:
        """What stops the packet there; None if it is accepted."""
        at = self._enter(base, (base.ref,))
        while True:
            rule = self._next(at)
            if rule is None:
                if at.chain.row.policy != "return" or not self._stack:
                    return self._ended(at, base)
                at = self._stack.pop()
                continue
            verdict = self._verdict(at.chain, rule)
            at = at._replace(number=at.number + 1)
            if verdict is None or verdict.kind == "continue":
                continue
            if verdict.kind in ("drop", "reject"):
                return self._stopped(at, rule, verdict)
            self.turns.append((rule, (self._ref(rule), *self._steps.used, *at.by[1:])))
            if verdict.kind == "accept":
                return None
            following = self._turn(at, rule, verdict)
            if following is None:
                return self._ended(at, base)
            at = following

    def _next(self, at: _Place) -> FilterRule | None:
        return at.chain.rules[at.number] if at.number < len(at.chain.rules) else None

    def _verdict(self, chain: Chain, rule: FilterRule) -> Verdict | None:
        if rule is self._without:
            return None
        return self._steps.verdict(chain, rule)

    def _turn(self, at: _Place, rule: FilterRule, verdict: Verdict) -> _Place | None:
        """Where a return, jump or goto leads; None to the end of the base chain."""
        if verdict.kind == "return":
            if self._stack:
                return self._stack.pop()
            # Only ebtables takes it for "go on" there (ebt_do_table: RETURN on base chain).
            return at if _is_ebtables(at.chain) else None
        if verdict.kind not in ("jump", "goto"):
            raise Open(Blind(f"{verdict.kind}: {rule.text}", (self._ref(rule),)))
        row = at.chain.row
        target = self._rules.chains.get(Key(row.backend, row.family, row.table, verdict.chain))
        if target is None:
            raise Open(Blind(f"{at.chain.text}: no chain {verdict.chain}", (self._ref(rule),)))
        self._left -= 1
        if not self._left:
            raise Open(Blind(f"{at.chain.text}: its chains never end", (self._ref(rule),)))
        if verdict.kind == "jump":
            if len(self._stack) >= _JUMPS_MAX and row.backend == "nft":
                raise Open(Blind(f"{at.chain.text}: too many jumps", (self._ref(rule),)))
            self._stack.append(at)
        return self._enter(target, (*at.by, self._ref(rule)))

    def _enter(self, chain: Chain, by: tuple[Ref, ...]) -> _Place:
        if not chain.row.whole:
            raise Open(Blind(f"{chain.text}: not all of its rules were listed", (chain.ref,)))
        return _Place(chain, 0, by)

    def _ended(self, at: _Place, base: Chain) -> Stopped | None:
        """By the base chain's policy, or that of a chain of legacy ebtables."""
        chain = base if at.chain.row.policy == "return" else at.chain
        if chain.row.policy != "drop":
            return None
        return Stopped("drop", chain.text, merge_refs((chain.ref,), at.by), "filter-policy")

    def _stopped(self, at: _Place, rule: FilterRule, verdict: Verdict) -> Stopped:
        refs = merge_refs((self._ref(rule),), self._steps.used, at.by)
        if verdict.kind == "reject":
            return Stopped("reject", at.chain.text, refs, "filter-reject")
        return Stopped("drop", at.chain.text, refs)

    def _ref(self, rule: FilterRule) -> Ref:
        return Ref(self._rules.where.host, rule.cite)


def _is_ebtables(chain: Chain) -> bool:
    return chain.row.backend == "legacy" and chain.row.family == "bridge"
