"""What the registry of rules holds of each."""

from msgspec import Struct


class RuleInfo(Struct, frozen=True):
    """``function`` is where the kernel decides it, ``text`` what it decides, for people."""

    function: str
    text: str
    area: str = "bridge"
