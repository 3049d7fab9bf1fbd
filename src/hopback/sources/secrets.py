"""Keys that a snapshot must not keep are blanked where text comes in: nobody needs them.

WireGuard's private and preshared keys as ``wg`` prints them (wireguard-tools ``src/show.c``,
``showconf.c``), and as configurations of wg-quick, systemd and NetworkManager have them. The
password of VRRP as keepalived's configuration has it.
"""

import re

HIDDEN = "(hidden)"

_KEY = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_ANY = re.compile(_KEY)
_PASSWORD = re.compile(r"(\bauth_pass\s+)(?:\"[^\"]*\"?|\S+)")
_NAMED = re.compile(rf"((?:private|preshared|pre-shared)[ _-]?key\b\s*[:=]\s*\"?){_KEY}", re.I)
_DEVICE = re.compile(rf"{_KEY}(?=\s+{_KEY}\s+\d+\s+(?:off|0x[0-9a-f]+)\s*$)")
_PEER = re.compile(rf"({_KEY}\s+){_KEY}(?=\s+\S+\s+\S+\s+\d+\s+\d+\s+\d+\s+\S+\s*$)")


def without_secrets(line: str) -> str:
    """The line, its secret keys blanked."""
    if "auth_pass" in line:
        line = _PASSWORD.sub(rf"\1{HIDDEN}", line)
    if len(line) < 44 or "=" not in line or not _ANY.search(line):
        return line
    line = _NAMED.sub(rf"\1{HIDDEN}", line)
    line = _DEVICE.sub(HIDDEN, line)
    return _PEER.sub(rf"\1{HIDDEN}", line)
