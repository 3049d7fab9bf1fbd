"""How much of the processors' time goes into what: ``mpstat``, and the head of ``top``.

A packet that goes round keeps a processor in softirq, which is where the kernel forwards.
"""

import re
from collections.abc import Iterator

from hopback.snapshot.rows import CpuShare, Row
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import unnamed

COMMANDS: tuple[tuple[str, ...], ...] = (("mpstat",), ("top",))
# procps top, its older form "2.0%us", and that of busybox
_TOP = re.compile(
    r"\s*%?Cpu(?P<cpu>\d{1,5}|\(s\))? *: *(?P<shares>(?:[ ,]*\d{1,3}\.\d ?%? ?[a-z]{2}){4,})"
    r"|CPU: +(?P<box>(?: *\d{1,3}% [a-z]+){4,})"
)
_MPSTAT = re.compile(r"\S+ +(?:[AP]M +)?CPU +(?P<names>%\S+(?: +%?[\w/]+)+)\s*\Z")
SHAPE: re.Pattern[str] | None = re.compile(f"{unnamed(_TOP)}|{unnamed(_MPSTAT)}")
FILLS: tuple[type[Row], ...] = (CpuShare,)

_SHARE = re.compile(r"(\d{1,3}(?:\.\d{1,2})?) ?%? ?([a-z]+)")
_ROW = re.compile(r"(?P<when>\S+) +(?:[AP]M +)?(?P<cpu>all|\d{1,5}) +(?P<shares>[\d. ]+)\Z")
# %CPU, %MEM, TIME+ and COMMAND of top
_THREAD = re.compile(
    r"(?P<percent>\d{1,3}\.\d) +\d{1,3}\.\d +[\d:.]{4,16} +ksoftirqd/(?P<cpu>\d{1,5})\b"
)
_KINDS = {
    "us": "user", "usr": "user", "user": "user", "sy": "system", "sys": "system", "ni": "nice",
    "nic": "nice", "nice": "nice", "id": "idle", "idle": "idle", "wa": "iowait", "io": "iowait",
    "iowait": "iowait", "hi": "irq", "irq": "irq", "si": "softirq", "sirq": "softirq",
    "soft": "softirq", "st": "steal", "steal": "steal", "guest": "guest", "gnice": "guest nice",
}  # fmt: skip


def parse(text: Text) -> Parsed:
    """One row for each processor and kind; of mpstat the averages alone, where it shows them.

    The first head of top, and mpstat without an interval, tell of all the time since boot.
    ``ksoftirqd`` as a kind is the share of the thread that takes over when softirqs do not end.
    """
    rows: list[CpuShare] = []
    names: list[str] = []
    averages = any(line.startswith("Average:") for line in text.lines)
    for index, line in text.numbered():
        if match := _TOP.match(line):
            cpu = match["cpu"] if (match["cpu"] or "(s)") != "(s)" else "all"
            found = _SHARE.findall(match["shares"] or match["box"])
            rows += _rows(text, index, cpu, ((kind, share) for share, kind in found))
        elif match := _MPSTAT.match(line):
            names = [name.lstrip("%") for name in match["names"].split()]
        elif names and (match := _ROW.match(line)):
            shares = match["shares"].split()
            if len(shares) == len(names) and (match["when"] == "Average:" or not averages):
                rows += _rows(text, index, match["cpu"], zip(names, shares, strict=True))
        elif match := _THREAD.search(line):
            rows.append(_share(text, index, match["cpu"], "ksoftirqd", match["percent"]))
    return Parsed([row for row in rows if row.percent <= 100])


def _rows(
    text: Text, index: int, cpu: str, shares: Iterator[tuple[str, str]]
) -> Iterator[CpuShare]:
    for kind, share in shares:
        if kind in _KINDS:
            yield _share(text, index, cpu, _KINDS[kind], share)


def _share(text: Text, index: int, cpu: str, kind: str, share: str) -> CpuShare:
    return CpuShare(
        cite=text.cite(index), netns=text.netns, cpu=cpu, kind=kind, percent=float(share)
    )
