"""Inside user-mode Linux: sets IPVS up if the kernel has it, reads it, and says what was there.

usage: python -m tests.sources.live.ipvs_inside

Prints a JSON document: the rows of IPVS as root and as nobody read them, and what the kernel wanted
to load meanwhile.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from hopback.snapshot.model import Snapshot
from hopback.snapshot.quote import quote
from hopback.sources.live import read

_SETUP = """
ipvsadm -A -t 192.0.2.100:443 -s sh -b sh-port -p 300 -M 255.255.255.0
ipvsadm -a -t 192.0.2.100:443 -r 192.0.2.11:443 -i -w 0 --tun-type gue --tun-port 6080
ipvsadm -a -t 192.0.2.100:443 -r 192.0.2.12:443 -m -w 5 -x 100 -y 80
ipvsadm -A -u [2001:db8::100]:53 -s rr -o
ipvsadm -a -u [2001:db8::100]:53 -r [2001:db8::12]:53 -g -w 1
ipvsadm -A -f 7 -6 -s mh -b mh-fallback
ipvsadm -a -f 7 -6 -r [2001:db8::12]:0 -g -w 1
ipvsadm --start-daemon backup --mcast-interface lo --syncid 5
"""
_NOBODY = 65534


def main() -> None:
    """Read twice."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    if Path("/proc/net/ip_vs").exists():
        for line in _SETUP.strip().splitlines():
            subprocess.run(line.split(), check=True)
    with TemporaryDirectory() as folder:
        wanted = _watch(Path(folder))
        found = {"root": _reading(read), "nobody": _reading(_as_nobody)}
        sys.stdout.write(json.dumps({**found, "wanted": wanted.read_text()}) + "\n")


def _watch(folder: Path) -> Path:
    """Let the kernel call a program that notes what it is to load; gives its notes."""
    loader, notes = folder / "modprobe", folder / "notes"
    loader.write_text(f'#!/bin/sh\necho "$@" >> {notes}\n')
    loader.chmod(0o755)
    notes.touch()
    Path("/proc/sys/kernel/modprobe").write_text(f"{loader}\n")
    return notes


def _as_nobody() -> Snapshot:
    os.seteuid(_NOBODY)
    try:
        return read()
    finally:
        os.seteuid(0)


def _reading(reads: Callable[[], Snapshot]) -> dict[str, Any]:
    found = reads()
    tables = {name: table for name, table in found.tables() if name.startswith("ipvs")}
    return {
        "tables": {name: msgspec.to_builtins(table.rows) for name, table in tables.items()},
        "complete": sorted(name for name, table in tables.items() if table.complete()),
        "quotes": [quote(found, row.cite) for row in found.ipvs_servers.rows],
        "settings": {row.key: row.value for row in found.sysctls.rows},
        "problems": [problem.message for problem in found.problems],
    }


if __name__ == "__main__":
    main()
