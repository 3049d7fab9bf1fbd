"""Numbers and addresses out of text that may be cut, redacted or damaged: unusable means None."""

import re

from hopback.frames.mac import Mac, parse_mac

_INT = re.compile(r"(?:0x[0-9a-fA-F]{1,15}|-?[0-9]{1,18})\Z")


def mac_or_none(text: str | None) -> Mac | None:
    """The MAC, or None for what is none (``##:##:…``, ``(null)``, a half line)."""
    try:
        return parse_mac(text) if text else None
    except ValueError:
        return None


def int_or_none(text: str | None) -> int | None:
    """A decimal or ``0x`` number that fits 64 bits, or None."""
    if text is None or not _INT.match(text):
        return None
    return int(text, 16) if text.startswith("0x") else int(text)


def argument(command: tuple[str, ...], verb: str) -> str | None:
    """The first word after ``verb`` that is no option."""
    if verb not in command:
        return None
    words = command[command.index(verb) + 1 :]
    return next((word for word in words if not word.startswith("-")), None)


def unnamed(pattern: re.Pattern[str]) -> str:
    """The pattern's text with its groups made anonymous, to combine it with others."""
    return re.sub(r"\?P<\w+>", "?:", pattern.pattern)
