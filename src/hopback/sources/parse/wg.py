"""``wg``: WireGuard's devices and peers, as shown, dumped, or written as a configuration.

wireguard-tools ``src/show.c``, ``showconf.c``. Private and preshared keys are blanked before a
parser sees a line (``sources/secrets.py``).
"""

import re
from collections.abc import Sequence

from hopback.snapshot.rows import Row, Tunnel, WireguardPeer
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import argument, int_or_none
from hopback.sources.parse.listing import REFUSAL, following, stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("wg", "show|showconf"),
    ("cat", "/etc/wireguard/"),
)
_KEY = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_SECRET = rf"(?:{_KEY}|\(none\)|\(hidden\))"
SHAPE: re.Pattern[str] | None = re.compile(
    rf"\s*interface: \S{{1,15}}\s*$|\s*peer: {_KEY}\s*$"
    rf"|(?:\S{{1,15}}\s+)?{_SECRET}\s+{_KEY}\s+\d+\s+(?:off|0x[0-9a-f]+)\s*$"
)
FILLS: tuple[type[Row], ...] = (Tunnel, WireguardPeer)

_FIELD = re.compile(r"(?P<name>[A-Za-z][A-Za-z ]{0,24}?) ?[:=]\s*(?P<value>\S.*)")
_SECTION = re.compile(r"\[(?P<name>Interface|Peer)\]", re.IGNORECASE)
_DEVICE = re.compile(
    rf"(?:(?P<dev>\S{{1,15}})\s+)?{_SECRET}\s+{_SECRET}\s+(?P<port>\d+)\s+(?P<mark>off|0x[0-9a-f]+)"
)
_PEER = re.compile(
    rf"(?:(?P<dev>\S{{1,15}})\s+)?(?P<peer>{_KEY})\s+{_SECRET}\s+(?P<endpoint>\S+)\s+(?P<allowed>\S+)"
    r"\s+\d+\s+\d+\s+\d+\s+\S+"
)
_ENDPOINT = re.compile(r"\[?(?P<address>[0-9a-fA-F.:]+)(?:%\S+?)?\]?:(?P<port>\d{1,5})")
_NONE = frozenset({"(none)", "off", ""})
_FILE = re.compile(r"(?:.*/)?(?P<dev>[^/]{1,15})\.conf")


def parse(text: Text) -> Parsed:
    """The devices with their port and mark, and their peers with what goes to whom."""
    reader = _Reader(text)
    for index, line in text.numbered():
        reader.take(index, line)
    reader.close()
    return Parsed(reader.rows, reader.problems)


class _Reader:
    """Collects the fields under a heading until the next one."""

    def __init__(self, text: Text) -> None:
        self._text = text
        self._dev = _told_device(text)
        self._at = 0
        self._what = ""
        self._said: dict[str, str] = {}
        self.rows: list[Row] = []
        self.problems: list[Problem] = []

    def take(self, index: int, line: str) -> None:
        """One line."""
        line = line.partition("#")[0].strip()
        if match := _DEVICE.fullmatch(line):
            self._dev = match["dev"] or self._dev
            self._add_device(index, match["port"], match["mark"])
        elif match := _PEER.fullmatch(line):
            self._add_peer(index, match["peer"], match["endpoint"], match["allowed"])
        elif match := _SECTION.fullmatch(line):
            self._open(index, match["name"].lower())
        elif (match := _FIELD.fullmatch(line)) and self._is_field(index, match):
            pass
        elif REFUSAL.match(line):
            self.problems.append(self._text.problem(index, f"not shown: {line.strip()}"))
        elif line:
            self.problems += stray(self._text, index, "wg")

    def _is_field(self, index: int, match: re.Match[str]) -> bool:
        name, value = match["name"].lower().replace(" ", ""), match["value"]
        if name == "interface" or (name == "peer" and re.fullmatch(_KEY, value)):
            self._open(index, name)
            if name == "interface":
                self._dev = value
            name = "publickey"
        if not self._what:
            return False
        before = self._said.get(name)
        self._said[name] = f"{before}, {value}" if before and name == "allowedips" else value
        return True

    def _open(self, index: int, what: str) -> None:
        self.close()
        self._at, self._what, self._said = index, what, {}

    def close(self) -> None:
        """Make a row of what was said under the last heading."""
        said, what = self._said, self._what
        self._what = ""
        if what == "interface":
            port = said.get("listeningport", said.get("listenport", ""))
            self._add_device(self._at, port, said.get("fwmark", "off"))
        elif what == "peer":
            peer, allowed = said.get("publickey", ""), said.get("allowedips", "")
            self._add_peer(self._at, peer, said.get("endpoint", "(none)"), allowed)

    def _add_device(self, index: int, port: str, mark: str) -> None:
        if not self._dev:
            self.problems.append(unreadable(self._text, index, "of which device"))
            return
        self.rows.append(
            Tunnel(
                cite=self._text.cite(index),
                netns=self._text.netns,
                dev=self._dev,
                kind="wireguard",
                mark=0 if mark in _NONE else int_or_none(mark),
                port=int_or_none(port) or None,
            )
        )

    def _add_peer(self, index: int, peer: str, endpoint: str, allowed: str) -> None:
        if not self._dev or not re.fullmatch(_KEY, peer):
            self.problems.append(unreadable(self._text, index, "a peer without a key or a device"))
            return
        where = _ENDPOINT.fullmatch(endpoint)
        none = "" if endpoint in _NONE else None
        self.rows.append(
            WireguardPeer(
                cite=self._text.cite(index),
                netns=self._text.netns,
                dev=self._dev,
                peer=peer,
                endpoint=where["address"] if where else none,
                port=int(where["port"]) if where else None,
                allowed=_prefixes(allowed.replace(",", " ").split()),
            )
        )


def _prefixes(words: Sequence[str]) -> tuple[str, ...]:
    return tuple(word for word in words if word not in _NONE)


def _told_device(text: Text) -> str:
    """``wg show DEV``, ``wg showconf DEV``, and the name of a file of wg-quick."""
    for word in text.command:
        if match := _FILE.fullmatch(word):
            return match["dev"]
    verb = "showconf" if "showconf" in text.command else "show"
    named = argument(text.command, verb) or following(text.command, ("syncconf",))
    return "" if named in (None, "all", "dump", "interfaces") else str(named)
