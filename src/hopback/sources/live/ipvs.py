"""IPVS of a namespace, where the kernel has it already, and keepalived's configuration.

/proc/net/ip_vs is there only with the module, and reading it loads nothing; asking for the family
of generic netlink would (``ctrl_getfamily``). Netlink tells more, and wants CAP_NET_ADMIN.
"""

from itertools import islice
from pathlib import Path

from hopback.snapshot.rows import (
    IpvsConnection,
    IpvsCount,
    IpvsDaemon,
    IpvsServer,
    IpvsService,
    Row,
    VrrpInstance,
)
from hopback.snapshot.table import Missing
from hopback.sources.live import ipvs_decode as decode
from hopback.sources.live.netlink import (
    NETLINK_GENERIC,
    Netlink,
    attributes,
    number,
    pack_attribute,
)
from hopback.sources.live.reading import Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text
from hopback.sources.secrets import without_secrets

ENTRIES_MAX = 20_000

_PROC = Path("/proc/thread-self/net")
_CONFIGURATION = Path("/etc/keepalived/keepalived.conf")
_BYTES_MAX = 4 << 20
_CONTROL, _GET_FAMILY = 0x10, 3  # GENL_ID_CTRL, CTRL_CMD_GETFAMILY
_FAMILY_ID, _FAMILY_NAME = 1, 2
_TABLE: tuple[type[Row], ...] = (IpvsService, IpvsServer)
_COMMANDS: dict[type[Row], str] = {
    IpvsService: "ipvsadm -Sn",
    IpvsServer: "ipvsadm -Sn",
    IpvsCount: "ipvsadm -Ln --stats",
    IpvsDaemon: "ipvsadm -L --daemon",
}


def read(reading: Reading) -> None:
    """Add services, servers, their counters, threads and connections; none where IPVS is not."""
    if not (_PROC / "ip_vs").exists():
        extent = reading.extent(reading.open("ipvsadm -Ln"))
        reading.builder.add((), fills=(*_COMMANDS, IpvsConnection), extent=extent)
        return
    try:
        with Netlink(NETLINK_GENERIC) as link:
            _ask(reading, link)
    except OSError as error:
        reason = "needs CAP_NET_ADMIN" if isinstance(error, PermissionError) else error.strerror
        for kind, command in _COMMANDS.items():
            reading.builder.miss(kind, Missing(f"IPVS by netlink: {reason}", f"sudo {command}"))
        _read_file(reading, "ip_vs", _TABLE)
    _read_file(reading, "ip_vs_conn", (IpvsConnection,))


def _ask(reading: Reading, link: Netlink) -> None:
    answer = link.ask(_CONTROL, _request(_GET_FAMILY, pack_attribute(_FAMILY_NAME, b"IPVS\0")))
    family = number(attributes(answer, 4)[_FAMILY_ID])
    origins = decode.Origins(reading.open("ipvsadm -Ln"), reading.open("ipvsadm -Ln --stats"))
    found = link.dump(family, _request(decode.GET_SERVICE))
    whole, line = found.whole, len(found.messages) + 1
    for service in decode.services(origins, found.messages):
        listed = link.dump(family, _request(decode.GET_SERVERS, service.request))
        reading.builder.add(service.rows)
        reading.builder.add(decode.servers(origins, line, service, listed.messages))
        whole, line = whole and listed.whole, line + len(listed.messages)
    for origin, fills in ((origins.table, _TABLE), (origins.counters, (IpvsCount,))):
        reading.builder.add((), fills=fills, extent=reading.extent(origin, whole))
    origin = reading.open("ipvsadm -L --daemon")
    found = link.dump(family, _request(decode.GET_DAEMONS))
    rows = decode.daemons(origin, found.messages)
    reading.builder.add(rows, fills=(IpvsDaemon,), extent=reading.extent(origin, found.whole))


def _request(command: int, body: bytes = b"") -> bytes:
    return bytes((command, 1, 0, 0)) + body


def _read_file(reading: Reading, name: str, fills: tuple[type[Row], ...]) -> None:
    """One of the kernel's own files, as far as it is read at all."""
    command = f"cat /proc/net/{name}"
    try:
        with (_PROC / name).open(errors="replace") as file:
            lines = [line.rstrip("\n") for line in islice(file, ENTRIES_MAX)]
            whole = not file.readline()
    except OSError as error:
        for kind in fills:
            reading.builder.miss(kind, Missing(f"{command}: {error.strerror}", f"sudo {command}"))
        return
    if not whole:
        reading.problem(command, f"only its first {ENTRIES_MAX} lines are read")
    _parse(reading, "ipvs", command, lines, fills, whole=whole)


def read_configuration(reading: Reading) -> None:
    """Add what keepalived is configured to do on this host, if it is and we may read it."""
    try:
        with _CONFIGURATION.open(errors="replace") as file:
            lines = [without_secrets(line) for line in file.read(_BYTES_MAX).split("\n")]
    except FileNotFoundError:
        return
    except OSError as error:
        command = f"sudo cat {_CONFIGURATION}"
        reason = f"{_CONFIGURATION}: {error.strerror}"
        reading.builder.miss(VrrpInstance, Missing(reason, command))
        return
    _parse(reading, "keepalived", f"cat {_CONFIGURATION}", lines, (VrrpInstance,), whole=True)


def _parse(
    reading: Reading,
    parser: str,
    command: str,
    lines: list[str],
    fills: tuple[type[Row], ...],
    *,
    whole: bool,
) -> None:
    origin = reading.open(command, "\n".join(lines))
    words = tuple(command.split())
    found = registry.parser(parser).parse(
        Text(origin.source, command, lines, command=words, netns=reading.netns)
    )
    extent = reading.extent(origin, whole=whole and not found.problems)
    reading.builder.add(found.rows, found.problems, fills, extent)
