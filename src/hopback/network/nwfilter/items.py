"""The attributes of a rule's match, and how they become steps."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import ip_address

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import Field, Match, NwItem, Opaque, Span, Step, Unsure, Value

PROTOCOLS = {
    "icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "esp": 50, "ah": 51, "icmpv6": 58, "sctp": 132,
    "udplite": 136,
}  # fmt: skip
TRANSPORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}
_SWAPPED = {"saddr": "daddr", "daddr": "saddr", "sport": "dport", "dport": "sport"}


def number(text: str) -> int:
    """A decimal or ``0x`` number; ValueError if it is none."""
    if len(text) > 12:
        raise ValueError(f"not a number: {text[:12]!r}")
    return int(text, 16) if text.lower().startswith("0x") else int(text)


def swapped(key: str) -> str:
    """The field of the other end: ``ip daddr`` for ``ip saddr``."""
    return " ".join(_SWAPPED.get(word, word) for word in key.split(" "))


class Items:
    """The attributes of one rule; ``reverse``: source and destination change places.

    ``steps`` are gathered in the order in which they are asked for. An attribute that cannot be
    read, or whose variable is not known, leaves a step that says so.
    """

    def __init__(self, items: Sequence[NwItem], reverse: bool) -> None:
        self._items: Mapping[str, NwItem] = {item.name: item for item in items}
        self._reverse = reverse
        self.steps: list[Step] = []
        self.taken: set[str] = set()

    def get(self, name: str) -> NwItem | None:
        """The attribute; it now counts as understood."""
        self.taken.add(name)
        return self._items.get(name)

    def key(self, key: str) -> str:
        """The field as this direction has it."""
        return swapped(key) if self._reverse else key

    def add(self, key: str, value: Value, negated: bool = False, mask: int | None = None) -> None:
        """A step that compares a field."""
        self.steps.append(
            Match((Field(self.key(key), mask),), ((value,),), "!=" if negated else "==")
        )

    def take(self, key: str, name: str, read: Callable[[str], Value] = number) -> None:
        """Compare a field with an attribute, if it is there."""
        item = self.get(name)
        if item is not None:
            self._guarded(key, item, lambda: self.add(key, read(item.value), item.negated))

    def mac(self, key: str, name: str, mask_name: str = "") -> None:
        """Compare a MAC address, under a mask if there is one."""
        item, mask = self.get(name), self.get(mask_name) if mask_name else None
        if item is None:
            return

        def add() -> None:
            under = parse_mac(mask.value) if mask else None
            value = parse_mac(item.value)
            kept = value if under is None else value & under
            self.add(key, kept, item.negated, None if under == 0xFFFF_FFFF_FFFF else under)

        self._guarded(key, item, add)

    def network(self, key: str, name: str, mask: NwItem | None) -> None:
        """Compare an IP address, or the network of ``mask``."""
        item = self.get(name)
        if item is None:
            return

        def add() -> None:
            address = ip_address(item.value)
            bits = address.max_prefixlen
            prefix = bits if mask is None else _prefix(mask.value, bits)
            base = int(address) >> bits - prefix << bits - prefix
            last = base | (1 << bits - prefix) - 1
            self.add(key, base if prefix == bits else Span(base, last), item.negated)

        self._guarded(key, item, add)

    def addresses(self, key: str, name: str, end_name: str) -> None:
        """Compare an IP address with those from one to another."""
        self.span(key, name, end_name, lambda text: int(ip_address(text)))

    def span(self, key: str, name: str, end_name: str, read: Callable[[str], int] = number) -> None:
        """Compare with a value, or a range of them."""
        item, end = self.get(name), self.get(end_name)
        if item is None:
            return

        def add() -> None:
            first = read(item.value)
            last = read(end.value) if end else first
            self.add(key, first if first == last else Span(first, last), item.negated)

        self._guarded(key, item, add)

    def rest(self) -> None:
        """What nothing asked for is opaque."""
        left = [item for name, item in self._items.items() if name not in self.taken]
        if left:
            self.steps.append(Opaque(" ".join(f"{item.name}={item.value}" for item in left)))

    def _guarded(self, key: str, item: NwItem, add: Callable[[], None]) -> None:
        if item.value.startswith("$"):
            self.steps.append(Unsure(f"{self.key(key)} {item.value}"))
            return
        try:
            add()
        except ValueError:
            self.steps.append(Opaque(f"{item.name}={item.value}"))


def protocol(text: str) -> int:
    """A transport protocol by libvirt's name or number."""
    known = PROTOCOLS.get(text.lower())
    return number(text) if known is None else known


def _prefix(text: str, bits: int) -> int:
    """The length of a mask, written as such or as an address."""
    if text.isdecimal():
        prefix = int(text[:4])
    else:
        mask = int(ip_address(text))
        prefix = mask.bit_count()
        if mask != (1 << bits) - (1 << bits - prefix):
            raise ValueError(f"not a prefix: {text!r}")
    if prefix > bits:
        raise ValueError(f"too long: {text!r}")
    return prefix
