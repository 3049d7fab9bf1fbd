"""The process that cleans up after a rig, whatever becomes of the rig.

usage: guard.py SECONDS PREFIX

Waits until its standard input ends - the rig closed it, or died - or SECONDS have passed, then
removes every namespace whose name begins with PREFIX, and the programs that run in it. Links first:
a namespace lives on, and with it a storm, as long as anyone holds a socket in it, but nothing
circulates without a link.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path


def ip(*words: str) -> str:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    return done.stdout


def remove(name: str, owner: int) -> None:
    for link in json.loads(ip("-n", name, "-j", "link", "show") or "[]"):
        if link["ifname"] != "lo":
            ip("-n", name, "link", "delete", link["ifname"])
    for pid in map(int, ip("netns", "pids", name).split()):
        # The owner may be there too, for a moment.
        if pid != owner:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    ip("netns", "delete", name)


def main(seconds: float, prefix: str) -> None:
    owner = os.getppid()
    select.select([sys.stdin], [], [], seconds)
    for entry in Path("/run/netns").glob(prefix + "*"):
        remove(entry.name, owner)


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2])
