"""Bytes without a model, and bytes that contradict their own header.

Every decoder keeps what it could not use in one of these two, so that encoding gives back exactly
the bytes that were decoded.
"""

from msgspec import Struct


class Raw(Struct, frozen=True, gc=False):
    """Bytes nothing is wrong with: a payload we have no model of."""

    raw: bytes = b""


class Malformed(Struct, frozen=True, gc=False):
    """Bytes that are cut or contradict themselves; ``reason`` names the layer and what is wrong."""

    reason: str
    raw: bytes = b""


Rest = Raw | Malformed


class Encapsulated(Struct, frozen=True, gc=False):
    """A packet or a frame that another one carries; ``tunnel`` has the kinds."""

    @property
    def raw(self) -> bytes:
        """Its bytes, with the tunnel's own header."""
        raise NotImplementedError


def rest(what: str, raw: bytes, missing: int) -> Rest:
    """The bytes that end layer ``what``, of which ``missing`` more were announced than are here."""
    if missing:
        return cut(what, raw, len(raw) + missing)
    return Raw(raw)


def cut(what: str, raw: bytes, wanted: int) -> Malformed:
    """``raw`` is all that is left of the ``wanted`` bytes of ``what``."""
    return Malformed(f"{what}: {len(raw)} of {wanted} bytes", raw)
