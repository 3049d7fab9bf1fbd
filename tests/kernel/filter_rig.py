"""The bridge of taps with packet filters in front of it, given as nft and ebtables take them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hopback.frames.mac import Mac, format_mac
from tests.kernel.bridge_rig import KernelBridge, PortConfig
from tests.kernel.refusal import command_refusal

BridgeHook = Literal["brouting", "prerouting", "input", "forward", "output", "postrouting"]
CHAINS: tuple[BridgeHook, ...] = ("prerouting", "input", "forward", "output", "postrouting")


@dataclass(frozen=True)
class Rule:
    """Drop what fits, or give it another destination or source; ports by their numbers."""

    hook: BridgeHook
    indev: int | None = None
    outdev: int | None = None
    target: Mac | None = None
    to: Mac | None = None
    source: Mac | None = None

    @property
    def nft(self) -> str:
        """The rule as a line of its chain."""
        words = [] if self.indev is None else [f"iifname lp{self.indev}"]
        words += [] if self.outdev is None else [f"oifname lp{self.outdev}"]
        words += [] if self.target is None else [f"ether daddr {format_mac(self.target)}"]
        if self.to is not None:
            return " ".join([*words, f"ether daddr set {format_mac(self.to)} accept"])
        if self.source is not None:
            return " ".join([*words, f"ether saddr set {format_mac(self.source)} accept"])
        return " ".join([*words, "drop"])

    @property
    def ebtables(self) -> list[str]:
        """The words of ebtables that append it to the table broute."""
        words = [] if self.indev is None else ["-i", f"lp{self.indev}"]
        words += [] if self.target is None else ["-d", format_mac(self.target)]
        return ["-t", "broute", "-A", "BROUTING", *words, "-j", "DROP"]


class FilterBridge(KernelBridge):
    """A bridge whose filters change from case to case."""

    def __init__(self, count: int, *, brouting: bool) -> None:
        super().__init__([PortConfig()] * count)
        self._brouting = brouting

    def filter(self, rules: Sequence[Rule]) -> None:
        """These rules instead of those before."""
        chains = (
            f"chain {hook} {{ type filter hook {hook} priority -250; policy accept;\n"
            + "".join(f"{rule.nft}\n" for rule in rules if rule.hook == hook)
            + "}\n"
            for hook in CHAINS
            if any(rule.hook == hook for rule in rules)
        )
        self._run("nft", "-f", "-", script=f"flush ruleset\ntable bridge t {{\n{''.join(chains)}}}")
        if self._brouting:
            self._run("ebtables-legacy", "-t", "broute", "-F")
            for rule in rules:
                if rule.hook == "brouting":
                    self._run("ebtables-legacy", *rule.ebtables)


def filter_refusal(*, brouting: bool) -> str | None:
    """Why this machine cannot filter bridged frames; None if it can."""
    if brouting:
        return command_refusal("ebtables-legacy", "-t", "broute", "-L")
    return command_refusal("nft", "add", "table", "bridge", "t")
