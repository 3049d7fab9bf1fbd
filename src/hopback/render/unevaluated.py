"""Packet filters on a path that the model does not evaluate: what passes may be dropped by them."""

from collections.abc import Iterable

from hopback.checks.case import Case
from hopback.engines.trace import Hop


def filters_along(case: Case, hops: Iterable[Hop]) -> tuple[str, ...]:
    """``libvirt filter clean-traffic on vnet9`` for each that the frame may meet there, once."""
    found = (case.unclear_on(hop.place.dev) for hop in hops)
    return tuple(dict.fromkeys(filter_.what for filter_ in found if filter_))
