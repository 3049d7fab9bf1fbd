"""Base chains of packet filters, gathered while a listing is read."""

from collections.abc import Iterable

from hopback.snapshot.rows import PacketFilter
from hopback.sources.parse.base import Text


class Chain:
    """A base chain. ``attached`` are the devices it is hooked to (netdev), None for all."""

    def __init__(self, index: int, accepts: bool, attached: Iterable[str] | None = None) -> None:
        self.index = index
        self.accepts = accepts
        self.attached = None if attached is None else frozenset(attached)
        self.rules = 0
        self._selected: set[str] | None = set()

    def rule(self, devices: Iterable[str] | None) -> None:
        """Take a rule that selects ``devices`` by name, None if it may hit any."""
        self.rules += 1
        named = None if devices is None else set(devices)
        if not named or any(name.endswith(("+", "*")) for name in named):
            self._selected = None
        elif self._selected is not None:
            self._selected |= named

    @property
    def devices(self) -> frozenset[str] | None:
        """The devices whose frames it may touch, None for any."""
        if self.attached is not None:
            return self.attached
        return frozenset(self._selected) if self.accepts and self._selected is not None else None


class Chains:
    """The base chains of one listing by (family, name), in the order in which they came."""

    def __init__(self) -> None:
        self._chains: dict[tuple[str, str], Chain] = {}

    def base(self, family: str, name: str, chain: Chain) -> Chain:
        """Enter a chain; a second declaration of the same (``-P`` and ``-A``) is the first one."""
        return self._chains.setdefault((family, name), chain)

    def get(self, family: str, name: str) -> Chain | None:
        """The base chain of that name."""
        return self._chains.get((family, name))

    def rows(self, text: Text) -> list[PacketFilter]:
        """A row for each chain that can drop or alter anything."""
        found: list[PacketFilter] = []
        for (family, name), chain in self._chains.items():
            if chain.accepts and not chain.rules:
                continue
            devices = None if chain.devices is None else tuple(sorted(chain.devices))
            cite = text.cite(chain.index)
            row = PacketFilter(
                cite=cite, netns=text.netns, family=family, name=name, devices=devices
            )
            found.append(row)
        return found
