"""The connection table of a namespace, where the kernel keeps one already."""

from pathlib import Path

from hopback.snapshot.rows import Connection
from hopback.snapshot.table import Missing
from hopback.sources.live import programs
from hopback.sources.live.modules import presence
from hopback.sources.live.programs import Failed
from hopback.sources.live.reading import Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text

ENTRIES_MAX = 20_000

_COUNT = Path("/proc/sys/net/netfilter/nf_conntrack_count")
_TABLE = Path("/proc/thread-self/net/nf_conntrack")
_FILE = "cat /proc/net/nf_conntrack"
_LIST = "conntrack -L"


def read(reading: Reading) -> None:
    """Add the connections, or say why not; a kernel without conntrack has none."""
    try:
        count = int(_COUNT.read_text())
    except (OSError, ValueError):
        if presence("nf_conntrack", "CONFIG_NF_CONNTRACK") == "absent":
            _add(reading, _FILE, "")
        return
    if count > ENTRIES_MAX:
        reason = f"the connection table has {count} entries, more than the {ENTRIES_MAX} I read"
        reading.builder.miss(Connection, Missing(reason, _LIST))
        return
    try:
        _add(reading, _FILE, _TABLE.read_text(errors="replace"))
    except FileNotFoundError:  # without CONFIG_NF_CONNTRACK_PROCFS
        _ask(reading)
    except OSError as error:
        reason = f"{_FILE}: {error.strerror}"
        reading.builder.miss(Connection, Missing(reason, f"sudo {_LIST}"))


def _ask(reading: Reading) -> None:
    """The program's way needs a module of its own, which asking would load."""
    path = programs.find("conntrack")
    if path is None or presence("nf_conntrack_netlink", "CONFIG_NF_CT_NETLINK") != "present":
        reading.builder.miss(Connection, Missing("the kernel shows no connections", _LIST))
        return
    try:
        _add(reading, _LIST, programs.output(path, "-L"))
    except Failed as error:
        reading.builder.miss(Connection, Missing(str(error), f"sudo {_LIST}"))


def _add(reading: Reading, name: str, text: str) -> None:
    origin = reading.open(name, text)
    words = tuple(name.split())
    found = registry.parser("conntrack").parse(
        Text(origin.source, name, text.split("\n"), command=words, netns=reading.netns)
    )
    extent = reading.extent(origin, whole=name == _FILE and not found.problems)
    reading.builder.add(found.rows, found.problems, (Connection,), extent)
