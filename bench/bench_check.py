"""How fast and how small ``hopback check`` is, beside what the same machine does without it.

Prints how each figure was taken, then one JSON line. Needs root for the live part, which builds a
bridge with 500 taps in a network namespace of its own.
"""

import fcntl
import os
import platform
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import Run, in_turn, median, report, run

HOPBACK = str(Path(sys.executable).with_name("hopback"))
PASTE = Path(__file__).parents[1] / "tests" / "fixtures" / "incident-b" / "paste.txt"
RUNS = 7
TAPS, ENTRIES = 500, 20_000
PARSED_ROWS, BUNDLE_ROWS = 200_000, 1_000_000

TUNSETIFF = 0x4004_54CA
IFF_TAP, IFF_NO_PI = 0x0002, 0x1000


def wall(r: Run) -> float:
    return r.wall


def guest_mac(number: int) -> str:
    return f"52:54:00:{number >> 16 & 255:02x}:{number >> 8 & 255:02x}:{number & 255:02x}"


def fdb_line(number: int) -> str:
    return f"{guest_mac(number)} dev tap{number % TAPS} master br0 "


# --- a paste, from process start to exit ------------------------------------------------------


def paste_figures() -> dict[str, float]:
    commands = [[HOPBACK, "check", "-j", str(PASTE)], [sys.executable, "-c", "pass"]]
    checked, empty = in_turn(commands, RUNS)
    ours, python = median(checked, wall), median(empty, wall)
    print(f"paste: `hopback check -j {PASTE.name}` and `python -c pass` in turn, {RUNS} runs each,")
    print(f"  wall time of the process, median: {ours * 1e3:.0f} ms and {python * 1e3:.0f} ms")
    return {"paste_ms": round(ours * 1e3, 1), "python_pass_ms": round(python * 1e3, 1)}


# --- parsing ------------------------------------------------------------------------------------


def parse_figures() -> dict[str, float]:
    from hopback.sources.parse import bridge_fdb
    from hopback.sources.parse.base import Text

    lines = [fdb_line(n) for n in range(PARSED_ROWS)]
    size = sum(len(line) + 1 for line in lines) / 1e6
    text = Text(0, "bridge fdb show", lines, command=("bridge", "fdb", "show"))
    rates = []
    for _ in range(RUNS):
        start = time.perf_counter()
        rows = bridge_fdb.parse(text).rows
        rates.append(size / (time.perf_counter() - start))
        if len(rows) != PARSED_ROWS:
            raise SystemExit(f"only {len(rows)} of {PARSED_ROWS} lines became rows")
    rate = sorted(rates)[len(rates) // 2]
    print(f"parse: {PARSED_ROWS} lines of `bridge fdb` ({size:.1f} MB) into rows, in process,")
    print(f"  median of {RUNS}: {rate:.1f} MB/s")
    return {"parse_mb_per_s": round(rate, 1)}


# --- a bundle with a million rows -----------------------------------------------------------------


def bundle_figures() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        write_bundle(Path(folder))
        done = run([HOPBACK, "check", "-j", folder])
    print(
        f"bundle: a directory with {BUNDLE_ROWS} forwarding entries, `hopback check -j`, one run:"
    )
    print(f"  peak resident size {done.peak / 2**20:.0f} MiB, {done.wall:.1f} s")
    return {"bundle_peak_mib": round(done.peak / 2**20), "bundle_s": round(done.wall, 2)}


def write_bundle(folder: Path) -> None:
    with (folder / "bridge-fdb.txt").open("w") as table:
        for number in range(BUNDLE_ROWS):
            table.write(fdb_line(number) + "\n")
    with (folder / "brctl-show.txt").open("w") as ports:
        ports.write("bridge name\tbridge id\t\tSTP enabled\tinterfaces\n")
        ports.write("br0\t\t8000.525400000000\tno\t\ttap0\n")
        ports.writelines(f"\t\t\t\t\t\t\ttap{number}\n" for number in range(1, TAPS))


# --- live -----------------------------------------------------------------------------------------


@contextmanager
def big_host() -> Iterator[str]:
    """A namespace with a bridge of TAPS taps and ENTRIES forwarding entries."""
    name = f"hopback-bench-{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    taps: list[int] = []
    try:
        pid = os.fork()
        if pid == 0:  # taps are opened in the namespace by a child that dies with the benchmark
            os._exit(hold_taps(name))
        taps.append(pid)
        fill(name)
        yield name
    finally:
        for pid in taps:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        subprocess.run(["ip", "netns", "del", name], check=True)


def hold_taps(name: str) -> int:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/run/netns/{name}").open() as handle:
        if libc.setns(handle.fileno(), 0):
            return 1
    held = []
    for number in range(TAPS):
        tap = os.open("/dev/net/tun", os.O_RDWR)
        flags = IFF_TAP | IFF_NO_PI
        fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", f"tap{number}".encode(), flags))
        held.append(tap)
    time.sleep(600)
    return 0


def fill(name: str) -> None:
    deadline = time.monotonic() + 30
    while f"tap{TAPS - 1}:" not in listed(name):
        if time.monotonic() > deadline:
            raise SystemExit("the taps did not come up")
        time.sleep(0.1)
    links = ["link add br0 type bridge stp_state 0 forward_delay 0", "link set br0 up"]
    links += [f"link set tap{n} master br0 up" for n in range(TAPS)]
    batch(["ip", "-n", name, "-batch", "-"], links)
    entries = [f"fdb add {guest_mac(n)} dev tap{n % TAPS} master static" for n in range(ENTRIES)]
    batch(["bridge", "-n", name, "-batch", "-"], entries)


def listed(name: str) -> str:
    argv = ["ip", "-n", name, "-o", "link"]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout


def batch(argv: list[str], lines: list[str]) -> None:
    subprocess.run(argv, input="\n".join(lines), text=True, check=True, capture_output=True)


def live_figures() -> dict[str, float]:
    if os.geteuid() != 0:
        print("live: not taken, it needs root to build its namespace")
        return {}
    with big_host() as name:
        commands = [
            [HOPBACK, "check", "-j", "live", "--netns", name],
            ["ip", "netns", "exec", name, "bridge", "-j", "fdb"],
            ["ip", "netns", "exec", name, "ip", "-j", "-d", "link"],
        ]
        ours, fdb, link = (median(runs, wall) for runs in in_turn(commands, RUNS))
    ratio = ours / (fdb + link)
    print(f"live: a bridge of {TAPS} taps and {ENTRIES} entries in a namespace; `hopback check -j")
    print(f"  live --netns …`, `bridge -j fdb` and `ip -j -d link` in turn, {RUNS} runs each, wall")
    print(f"  time, median: {ours:.3f} s, {fdb:.3f} s and {link:.3f} s: {ratio:.2f} times the two")
    return {
        "live_s": round(ours, 3),
        "bridge_fdb_s": round(fdb, 3),
        "ip_link_s": round(link, 3),
        "live_ratio": round(ratio, 2),
    }


def main() -> None:
    print(f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} CPUs")
    figures: dict[str, float | int | str] = {}
    for part in (paste_figures, parse_figures, live_figures, bundle_figures):
        figures.update(part())
    report("check", figures)


if __name__ == "__main__":
    main()
