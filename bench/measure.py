"""How the benchmarks measure: whole processes, the kernel's own account, medians of runs."""

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple


class Run(NamedTuple):
    """One finished process: wall and CPU seconds, and its largest resident size in bytes."""

    wall: float
    cpu: float
    peak: int


def run(argv: Sequence[str]) -> Run:
    """Start ``argv``, throw its output away, wait for it; its exit code is not judged.

    Python may keep its byte code, as it does for an installed package.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    null = subprocess.DEVNULL
    start = time.perf_counter()
    process = subprocess.Popen(argv, stdout=null, stderr=null, env=environment)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0  # reaped above
    wall = time.perf_counter() - start
    return Run(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def in_turn(commands: Sequence[Sequence[str]], runs: int) -> list[list[Run]]:
    """Each command once to warm up, then all in turn, so that a slow moment hits them alike."""
    for argv in commands:
        run(argv)
    rounds = [[run(argv) for argv in commands] for _ in range(runs)]
    return [[one[i] for one in rounds] for i in range(len(commands))]


def median(runs: Sequence[Run], figure: Callable[[Run], float]) -> float:
    """The median of one figure."""
    return statistics.median(figure(r) for r in runs)


def report(bench: str, figures: dict[str, float | int | str]) -> None:
    """The closing line: one JSON object."""
    print(json.dumps({"bench": bench, **figures}))
