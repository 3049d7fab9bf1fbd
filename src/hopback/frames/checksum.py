"""The Internet checksum (RFC 1071) and the pseudo-header under it (RFC 768, 9293, 8200 8.1)."""


def ones_sum(data: bytes) -> int:
    """The one's complement sum of the 16-bit words of ``data``, an odd last byte padded with 0.

    2**16 is 1 modulo 0xFFFF, so the whole string modulo 0xFFFF is that sum; only its zero has two
    forms, and a sum of words that are not all zero folds to 0xFFFF.
    """
    number = int.from_bytes(data, "big") << 8 * (len(data) % 2)
    return number % 0xFFFF or (0xFFFF if number else 0)


def checksum(data: bytes) -> int:
    """The number that belongs in the checksum field, which must be zero in ``data``."""
    return 0xFFFF - ones_sum(data)


def pseudo_header(addresses: bytes, protocol: int, length: int) -> bytes:
    """Source and destination (``addresses``, packed), protocol and upper-layer length.

    The IPv6 form serves IPv4 too: it differs in zero bytes only, and those do not change the sum.
    """
    return addresses + length.to_bytes(4, "big") + protocol.to_bytes(4, "big")


def fill(packet: bytes, at: int, given: int | None, pseudo: bytes = b"") -> bytes:
    """``packet`` with the checksum at offset ``at`` (zero until now): ``given``, or computed."""
    value = checksum(pseudo + packet) if given is None else given
    return packet[:at] + value.to_bytes(2, "big") + packet[at + 2 :]
