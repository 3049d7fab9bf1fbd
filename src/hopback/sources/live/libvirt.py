"""The running guests of libvirt and its nwfilters, from the daemon's files: no program is run.

libvirt keeps the definition of every running guest, taps included, in /run/libvirt/qemu
(``src/qemu/qemu_domain.c``), filters in /etc/libvirt/nwfilter, and what they are bound to in
/run/libvirt/nwfilter-binding (``src/nwfilter/nwfilter_driver.c``). Only root may read them.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from hopback.snapshot.rows import Guest, GuestNic, NwBinding, NwFilter, NwReference, NwRule, Row
from hopback.snapshot.table import Missing
from hopback.sources.live.reading import Reading
from hopback.sources.parse import registry
from hopback.sources.parse.base import Text

_BYTES_MAX = 4 << 20


class Folder(NamedTuple):
    """Files of one kind: what virsh would say instead, and the tables that they fill.

    ``alone``: the tables of which they are all there is.
    """

    path: Path
    verb: str
    fills: tuple[type[Row], ...]
    alone: tuple[type[Row], ...] = ()


FOLDERS = (
    Folder(Path("/run/libvirt/qemu"), "dumpxml", (Guest, GuestNic)),
    Folder(
        Path("/etc/libvirt/nwfilter"),
        "nwfilter-dumpxml",
        (NwFilter, NwRule, NwReference),
        (NwFilter,),
    ),
    Folder(
        Path("/run/libvirt/nwfilter-binding"),
        "nwfilter-binding-dumpxml",
        (NwBinding,),
        (NwBinding,),
    ),
)


def read(reading: Reading, folders: Sequence[Folder] = FOLDERS) -> None:
    """Add the guests, their interfaces, and filters; a host without libvirt has none.

    The taps are in the namespace of libvirt's daemon, which is taken to be the one hopback runs in.
    """
    for folder in folders:
        _read(reading, folder)


def _read(reading: Reading, folder: Folder) -> None:
    files: list[Path] = []
    try:
        if not folder.path.is_dir():
            return
        files = sorted(p for p in folder.path.iterdir() if p.suffix == ".xml" and p.is_file())
        for file in files[:1]:
            file.open("rb").close()
    except PermissionError:
        reason = f"reading {folder.path} needs root"
        for kind in folder.fills:
            reading.builder.miss(kind, Missing(reason, f"sudo virsh {folder.verb} NAME"))
        return
    for file in files:
        _read_file(reading, folder, file)
    if folder.alone:
        origin = reading.open(f"ls {folder.path}", "")
        reading.builder.add((), fills=folder.alone, extent=reading.extent(origin))


def _read_file(reading: Reading, folder: Folder, file: Path) -> None:
    try:
        with file.open(encoding="utf-8", errors="replace") as handle:
            text = handle.read(_BYTES_MAX)
    except OSError as error:
        reading.problem(str(file), error.strerror or str(error))
        return
    words = ("virsh", folder.verb, file.stem)
    origin = reading.open(" ".join(words), text)
    rows, problems, _ = registry.parser("virsh_xml").parse(
        Text(origin.source, file.name, text.splitlines(), command=words, netns=reading.netns)
    )
    # a binding tells of an interface too, but its guest's own file tells more
    bound = NwBinding in folder.fills
    kept = [row for row in rows if not (bound and isinstance(row, GuestNic))]
    reading.builder.add(kept, problems)
