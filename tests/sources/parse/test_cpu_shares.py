"""Shares of the processors' time."""

import pytest

from hopback.snapshot.rows import CpuShare
from hopback.sources.parse import cpu_shares
from tests.sources.parse.given import listing, pasted, recorded, rows


def softirq(text: str, command: str = "") -> list[tuple[str, float]]:
    found = rows(cpu_shares.parse(pasted(text, command)), CpuShare)
    return [(row.cpu, row.percent) for row in found if row.kind == "softirq"]


def test_mpstat_shows_its_averages() -> None:
    parsed = cpu_shares.parse(recorded("counters/mpstat.txt"))
    shares = rows(parsed, CpuShare)
    assert {row.cpu for row in shares} == {"all", "0", "1"}
    assert len(shares) == 3 * 10
    first = min(row.cite.line for row in shares)
    assert recorded("counters/mpstat.txt").lines[first - 1].startswith("Average:")


def test_mpstat_without_averages() -> None:
    text = """
        10:15:01 AM  CPU    %usr   %nice    %sys %iowait    %irq   %soft  %steal  %guest   %idle
        10:15:02 AM  all    0.00    0.00    1.50    0.00    0.00   48.50    0.00    0.00   50.00
        10:15:02 AM    1    0.00    0.00    3.00    0.00    0.00   97.00    0.00    0.00    0.00
    """
    assert softirq(text) == [("all", 48.5), ("1", 97.0)]


def test_old_mpstat() -> None:
    text = """
        10:15:01     CPU   %user   %nice    %sys %iowait    %irq   %soft  %steal   %idle    intr/s
        10:15:02     all    0.00    0.00    1.50    0.00    0.00   48.50    0.00   50.00   1003.00
    """
    assert softirq(text) == [("all", 48.5)]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "%Cpu(s):  0.3 us,  0.7 sy,  0.0 ni, 50.0 id,  0.0 wa,  0.0 hi, 49.0 si,  0.0 st",
            [("all", 49.0)],
        ),
        (
            "%Cpu1  :  0.0 us,  0.0 sy,  0.0 ni,  0.0 id,  0.0 wa,  0.0 hi,100.0 si,  0.0 st",
            [("1", 100.0)],
        ),
        (
            "Cpu(s):  2.0%us,  3.0%sy,  0.0%ni, 95.0%id,  0.0%wa,  0.0%hi,  0.1%si,  0.0%st",
            [("all", 0.1)],
        ),
        ("CPU:   0% usr   1% sys   0% nic   0% idle   0% io   0% irq  99% sirq", [("all", 99.0)]),
        ("CPU: the one on the left", []),
    ],
)
def test_top(line: str, told: list[tuple[str, float]]) -> None:
    assert softirq(line, "top") == told


def test_top_recorded() -> None:
    parsed = cpu_shares.parse(recorded("counters/top.txt"))
    assert len(parsed.rows) == 8
    assert not parsed.problems


def test_thread_that_never_ends() -> None:
    line = "   10 root      20   0       0      0      0 R  99.7   0.0  12:34.56 ksoftirqd/0"
    (row,) = rows(cpu_shares.parse(listing(line, "top")), CpuShare)
    assert (row.cpu, row.kind, row.percent) == ("0", "ksoftirqd", 99.7)
