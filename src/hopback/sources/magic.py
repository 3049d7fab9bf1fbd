"""The first bytes of archives, apart from the code that reads them: a paste need not load that."""

GZIP = b"\x1f\x8b"
XZ = b"\xfd7zXZ\0"
BZIP2 = b"BZh"

_TAR = slice(257, 262)  # "ustar" in the first header (POSIX.1-1988)


def is_archive(head: bytes) -> bool:
    """Whether a file that begins with these bytes (512) is a tar archive, or compressed."""
    return head[_TAR] == b"ustar" or head.startswith((GZIP, XZ, BZIP2))
