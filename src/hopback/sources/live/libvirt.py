"""The running guests of libvirt, from the state files of its daemon: no program is run.

libvirt ``src/qemu/qemu_domain.c`` keeps the definition of every running guest, taps included,
in /run/libvirt/qemu. Only root may read them.
"""

from pathlib import Path

from hopback.snapshot.rows import Guest, GuestNic
from hopback.snapshot.table import Missing
from hopback.sources.live.reading import Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text

STATE = Path("/run/libvirt/qemu")

_BYTES_MAX = 4 << 20
_COMMAND = "sudo virsh dumpxml GUEST"


def read(reading: Reading, state: Path = STATE) -> None:
    """Add the guests and their interfaces; a host without libvirt has none.

    The taps are in the namespace of libvirt's daemon, which is taken to be the one hopback runs in.
    """
    files: list[Path] = []
    try:
        if state.is_dir():
            files = sorted(p for p in state.iterdir() if p.suffix == ".xml" and p.is_file())
    except PermissionError:
        reason = f"reading {state} needs root"
        for kind in (Guest, GuestNic):
            reading.builder.miss(kind, Missing(reason, _COMMAND))
        return
    parser = registry.parser("virsh_xml")
    for file in files:
        try:
            with file.open(encoding="utf-8", errors="replace") as handle:
                text = handle.read(_BYTES_MAX)
        except OSError as error:
            reading.problem(str(file), error.strerror or str(error))
            continue
        origin = reading.open(f"virsh dumpxml {file.stem}", text)
        words = ("virsh", "dumpxml", file.stem)
        rows, problems = parser.parse(
            Text(origin.source, file.name, text.splitlines(), command=words, netns=reading.netns)
        )
        reading.builder.add(rows, problems)
