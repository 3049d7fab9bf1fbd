"""Runs of a release, written to docs/fidelity.json: ``make fidelity-release``.

Only what was run is replaced, so that one kernel's numbers can be renewed alone.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import click
import msgspec

from tests.fidelity.report import AreaRun

RECORD = Path(__file__).parents[2] / "docs" / "fidelity.json"


@click.command()
@click.option("--host", "host_frames", default=5_000_000, show_default=True, help="Frames; 0: none")
@click.option("--uml", "uml_frames", default=500_000, show_default=True, help="Frames; 0: none")
@click.option("--area", default="all", show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(host_frames: int, uml_frames: int, area: str, seed: int) -> None:
    """Run and record. Exit code 1 if a model differs or a mutant gets by: it is recorded too."""
    codes = []
    for kernel, frames in (("host", host_frames), ("uml", uml_frames)):
        if frames:
            words = [f"--area={area}", f"--frames={frames}", f"--seed={seed}"]
            code, runs = _run([f"--kernel={kernel}", "--json", *words])
            RECORD.write_bytes(with_runs(RECORD.read_bytes(), runs))
            codes.append(code)
    sys.exit(any(codes))


def with_runs(record: bytes, runs: Sequence[AreaRun]) -> bytes:
    """The record with ``runs`` in the place of those of the same kernel and area."""
    before = msgspec.json.decode(record, type=list[AreaRun])
    merged = {(run.kernel, run.area): run for run in (*before, *runs)}
    ordered = [merged[key] for key in sorted(merged)]
    return msgspec.json.format(msgspec.json.encode(ordered), indent=2) + b"\n"


def _run(words: Sequence[str]) -> tuple[int, list[AreaRun]]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.fidelity", *words], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        runs = list(_shown(process.stdout))
    return process.returncode, runs


def _shown(lines: Iterable[bytes]) -> Iterator[AreaRun]:
    """The documents among the lines; what is for people is passed on."""
    for line in lines:
        if line.startswith(b"{"):
            yield msgspec.json.decode(line, type=AreaRun)
        else:
            click.echo(line, nl=False)


if __name__ == "__main__":
    main()
