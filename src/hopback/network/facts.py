"""Facts: values together with the rows that told them.

Several listings may speak of one device. The later one is taken, as it is the newer; None in a row
means that its listing did not say.
"""

from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, TypeVar

from hopback.snapshot.rows import Row
from hopback.snapshot.table import Cite

T = TypeVar("T", covariant=True)
R = TypeVar("R", bound=Row)


class DevId(NamedTuple):
    """A device, wherever it is: the host's label, the namespace's name, the device's name."""

    host: str
    netns: str
    name: str


class Ref(NamedTuple):
    """A citation that also says in which host's snapshot."""

    host: str
    cite: Cite


class Fact(NamedTuple, Generic[T]):
    """A value and the rows it was read from."""

    value: T
    refs: tuple[Ref, ...]


class Told(NamedTuple, Generic[R]):
    """A row with the label of the host whose snapshot holds it."""

    host: str
    row: R

    @property
    def ref(self) -> Ref:
        """The citation of the row."""
        return Ref(self.host, self.row.cite)


def latest(rows: Iterable[Told[R]], field: Callable[[R], T | None]) -> Fact[T] | None:
    """The last value that some row gives to ``field``; None if none does."""
    found: Fact[T] | None = None
    for told in rows:
        value = field(told.row)
        if value is not None:
            found = Fact(value, (told.ref,))
    return found


def merge_refs(*parts: Iterable[Ref]) -> tuple[Ref, ...]:
    """All citations once, in the order in which they first stand."""
    return tuple(dict.fromkeys(ref for part in parts for ref in part))
