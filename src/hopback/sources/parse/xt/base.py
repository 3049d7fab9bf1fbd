"""What every reader of an option has in common."""

from collections.abc import Callable
from typing import NamedTuple

from hopback.snapshot.rows import Match, Step
from hopback.sources.parse.xt.names import TRANSPORTS
from hopback.sources.parse.xt.values import device, match, network
from hopback.sources.parse.xt.words import Option


class About(NamedTuple):
    """What a rule says so far.

    ``six`` for IPv6; its ``protocol`` if it asks for exactly one; ``limit`` is the device to which
    the type of an address is limited (``. iif``).
    """

    six: bool
    protocol: int | None = None
    limit: str = ""

    @property
    def ip(self) -> str:
        """How nft calls the header."""
        return "ip6" if self.six else "ip"

    @property
    def transport(self) -> str:
        """How nft calls the header with the ports."""
        return TRANSPORTS.get(self.protocol or 0, "th")


Reader = Callable[[Option, About], tuple[Step, ...]]
"""The steps that ask for what an option does; ValueError if rows cannot say it."""


def network_step(key: str, option: Option, six: bool) -> Match:
    """A step that compares an address with a network."""
    value, mask = network(option.value, six)
    return match(key, value, negated=option.negated, mask=mask)


def device_step(key: str, option: Option) -> tuple[Step, ...]:
    """A step that compares a device's name; none where any will do."""
    name = device(option.value)
    any_device = name == "*" and not option.negated
    return () if any_device else (match(key, name, negated=option.negated),)
