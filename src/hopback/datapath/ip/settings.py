"""Settings that every device has, and that are set for all of them too (linux/inetdevice.h)."""

from collections.abc import Mapping

from hopback.datapath.ip.fib import Family
from hopback.network.facts import Fact

Settings = Mapping[str, Fact[int]]
"""By their keys after ``net.``."""


def of_device(settings: Settings, family: Family, dev: str, name: str) -> Fact[int] | None:
    """What the device has; a dot in its name is none of those between the parts of a key."""
    return settings.get(f"ipv{family}.conf.{dev.replace('.', '/')}.{name}")


def of_both(
    settings: Settings, family: Family, dev: str, name: str
) -> tuple[Fact[int] | None, Fact[int] | None]:
    """What is set for all devices, and what this one has."""
    return settings.get(f"ipv{family}.conf.all.{name}"), of_device(settings, family, dev, name)


def largest(settings: Settings, family: Family, dev: str, name: str) -> Fact[int] | None:
    """IN_DEV_MAXCONF: the larger of both. None where one is not told and the other is 0."""
    told = [fact for fact in of_both(settings, family, dev, name) if fact is not None]
    if not told or (len(told) == 1 and not told[0].value):
        return None
    return max(told, key=lambda fact: fact.value)


def is_on(fact: Fact[int] | None) -> bool:
    """Whether a setting is told, and not 0."""
    return fact is not None and bool(fact.value)
