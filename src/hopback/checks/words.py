"""How hosts and lists of things are called in a sentence."""

from collections.abc import Iterable

from hopback.network.facts import DevId


def named(host: str) -> str:
    """A host without a name is the one that everything given is about."""
    return host or "the host"


def joined(names: Iterable[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``, none twice."""
    *most, last = dict.fromkeys(names)
    return f"{', '.join(most)} and {last}" if most else last


def placed(where: DevId) -> str:
    """The host, and the namespace unless it is the host's own."""
    return f"{named(where.host)}/{where.netns}" if where.netns else named(where.host)
