"""A namespace's counters of IP, ICMP and IPVS; those of TCP and UDP say nothing of what returns."""

from pathlib import Path

from hopback.snapshot.rows import KernelCounter
from hopback.sources.live.reading import Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text

_PROC = Path("/proc/thread-self/net")
_FILES = {"snmp": "counters", "snmp6": "counters", "ip_vs_stats": "ipvs"}
_KEPT = ("Ip", "Icmp", "Ipvs")


def read(reading: Reading) -> None:
    """Add the counters that are not 0."""
    for name, parser in _FILES.items():
        try:
            lines = (_PROC / name).read_text(errors="replace").splitlines()
        except OSError:  # the kernel has no IPv6, or no IPVS
            continue
        command = f"cat /proc/net/{name}"
        origin = reading.open(command, "\n".join(lines))
        text = Text(origin.source, command, lines, command=("cat", f"/proc/net/{name}"))
        found = registry.parser(parser).parse(text._replace(netns=reading.netns))
        reading.builder.add(
            (
                row
                for row in found.rows
                if isinstance(row, KernelCounter) and row.value and row.name.startswith(_KEPT)
            ),
            found.problems,
            (KernelCounter,),
            reading.extent(origin, whole=False),
        )
