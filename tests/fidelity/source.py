"""Values as the Python that makes them, short enough to be kept as a test."""

from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any

_WIDTH = 92
_INDENT = "    "


def source(value: object, indent: str = "") -> str:
    """An expression that makes ``value``: fields that have their default are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        told = [f for f in fields(value) if getattr(value, f.name) != _default(f)]
        parts = [f"{f.name}={source(getattr(value, f.name), indent + _INDENT)}" for f in told]
        return _call(f"{type(value).__name__}(", parts, ")", indent)
    if isinstance(value, tuple):
        parts = [source(part, indent + _INDENT) for part in value]
        # A tuple of one needs its comma.
        return _call("(", parts, ",)" if len(parts) == 1 else ")", indent)
    if isinstance(value, bytes):
        return f'bytes.fromhex("{value.hex()}")'
    if isinstance(value, int) and value > 0xFFFF:  # only an address is as large
        return f"Mac(0x{value:012x})"
    return repr(value)


def _default(field: "Field[Any]") -> object:
    return MISSING if field.default is MISSING else field.default


def _call(head: str, parts: list[str], tail: str, indent: str) -> str:
    line = head + ", ".join(parts) + tail
    if len(indent) + len(line) <= _WIDTH and "\n" not in line:
        return line
    inner = indent + _INDENT
    return head + "".join(f"\n{inner}{part}," for part in parts) + f"\n{indent}{tail[-1]}"
