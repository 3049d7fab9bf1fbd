"""Kernel settings: ``sysctl -a``, ``sysctl KEY``, and files of /proc/sys."""

import re

from hopback.snapshot.rows import Row, Sysctl
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.listing import stray, unreadable

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("sysctl",),
    ("cat|head|tail", "/proc/sys/"),
    ("grep", ".", "/proc/sys/"),
)
SHAPE: re.Pattern[str] | None = re.compile(
    r"(?:abi|crypto|debug|dev|fs|kernel|net|sunrpc|user|vm)(?:[./][\w*@:-]+){1,}(?: = |=)\S"
    r"|/proc/sys/[^\s:]+:\S"
)
FILLS: tuple[type[Row], ...] = (Sysctl,)

_ROOT = "/proc/sys/"
_SETTING = re.compile(r"\s*(?P<key>[a-z]+[./][^\s=\0]+)\s*=(?P<value>.*)")
_FILE = re.compile(r"\s*/proc/sys/(?P<path>[^\s:=]+)(?::| ?=)(?P<value>.*)")
_LONE = re.compile(r"\s*(?P<value>\S+(?:\s+-?\d+)*)\s*\Z")
_COMPLAINT = re.compile(r"sysctl: |\S*cat: ")
# Files that say what shall be set at boot, not what is set.
_CONFIGURATION = re.compile(r"/(?:etc|usr|lib|run)/")


def parse(text: Text) -> Parsed:
    """One row per setting. A configuration file (``/etc/sysctl.d/…``) tells of no kernel: no rows.

    A path's dots stay as ``sysctl`` shows them: ``/proc/sys/net/ipv4/conf/e.5/x`` is
    ``net.ipv4.conf.e/5.x``.
    """
    if any(_CONFIGURATION.match(word) for word in text.command):
        return Parsed(())
    paths = [word.removeprefix(_ROOT) for word in text.command if word.startswith(_ROOT)]
    paths = [path for path in paths if not re.search(r"[*?$\[{]", path)]
    rows: list[Row] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if match := _FILE.match(line):
            rows.append(_row(text, index, _key(match["path"]), match["value"]))
        elif match := _SETTING.match(line):
            rows.append(_row(text, index, match["key"], match["value"]))
        elif paths and (match := _LONE.match(line)):
            rows.append(_row(text, index, _key(paths.pop(0)), match["value"]))
        elif _COMPLAINT.match(line):
            problems.append(unreadable(text, index, "a setting could not be read"))
        else:
            problems += stray(text, index, "sysctl")
    return Parsed(rows, problems)


def _key(path: str) -> str:
    return path.translate(str.maketrans("./", "/."))


def _row(text: Text, index: int, key: str, value: str) -> Sysctl:
    if "/" in key.split(".", 1)[0]:  # sysctl takes slashes between the parts, too
        key = _key(key)
    return Sysctl(cite=text.cite(index), netns=text.netns, key=key, value=value.strip())
