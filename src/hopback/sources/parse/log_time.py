"""The time a log line carries in front of its message."""

import re
from datetime import UTC, datetime, timedelta, timezone

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_CLOCK = r"(?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?"

_UPTIME = re.compile(r"\[\s*(?P<seconds>\d{1,9})\.(?P<fraction>\d{1,9})\]")
_DATES = tuple(
    re.compile(form)
    for form in (
        rf"(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)[T ]{_CLOCK}"
        r"(?P<zone>Z|[+-]\d\d:?\d\d)?",
        rf"{_MONTH} +(?P<day>\d{{1,2}}) {_CLOCK} (?P<year>\d{{4}})\b",  # dmesg -T
        rf"{_MONTH} +(?P<day>\d{{1,2}}) {_CLOCK}",  # syslog
    )
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAP_YEAR = 2000


def log_time(prefix: str) -> int | None:
    """The time in ``prefix`` in ns, None without one.

    The kernel's own stamp (since boot) is preferred to the date of whoever wrote the line: it is
    finer and was taken when it happened. Dates count from 1970; a syslog date, which has no year,
    is put into 2000. So only differences within one log mean anything.
    """
    if match := _UPTIME.search(prefix):
        return int(match["seconds"]) * 10**9 + nanoseconds(match["fraction"])
    for form in _DATES:
        if match := form.search(prefix):
            return _date_time(match.groupdict())
    return None


def nanoseconds(fraction: str | None) -> int:
    """The digits behind a decimal point of seconds, as ns."""
    return int((fraction or "0")[:9].ljust(9, "0"))


def _date_time(parts: dict[str, str | None]) -> int | None:
    month = parts["month"] or ""
    try:
        moment = datetime(
            int(parts.get("year") or _LEAP_YEAR),
            _MONTHS.index(month) + 1 if month in _MONTHS else int(month),
            int(parts["day"] or 0),
            int(parts["hour"] or 0),
            int(parts["minute"] or 0),
            int(parts["second"] or 0),
            tzinfo=_zone(parts.get("zone")),
        )
        since = moment - _EPOCH
    except (ValueError, OverflowError):  # the 31st of February, or year 0
        return None
    return (since // timedelta(seconds=1)) * 10**9 + nanoseconds(parts["fraction"])


def _zone(text: str | None) -> timezone:
    if not text or text == "Z":
        return UTC
    digits = text[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return timezone(-offset if text[0] == "-" else offset)
