"""Packet filters on a path that the model does not evaluate: what passes may be dropped by them."""

from collections.abc import Iterable

from hopback.checks.filters import filter_on
from hopback.engines.trace import Hop
from hopback.network.model import Network


def filters_along(network: Network, hops: Iterable[Hop]) -> tuple[str, ...]:
    """``libvirt filter clean-traffic on vnet9`` for each filter on a device of ``hops``, once."""
    found = ((filter_on(network, hop.place.dev), hop.place.dev.name) for hop in hops)
    return tuple(dict.fromkeys(f"{told[0]} on {name}" for told, name in found if told))
