"""Times in front of log messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopback.sources.parse.log_time import log_time

S = 10**9


@pytest.mark.parametrize(
    ("earlier", "later", "apart"),
    [
        ("[    1.000000] ", "[   12.345678] ", 11_345_678_000),
        ("<6>[1.0] ", "<4>[2.5] ", 1_500_000_000),
        ("[Fri Nov 20 08:57:40 2026] ", "[Sat Nov 21 08:57:41 2026] ", 86_401 * S),
        ("Feb 28 23:59:59 h kernel: ", "Mar  1 00:00:01 h kernel: ", 86_402 * S),
        ("2026-11-20T08:57:40.25+0100 h kernel: ", "2026-11-20T07:57:41Z h ", 750_000_000),
        ("2026-11-20T08:57:40,000001+00:00 ", "2026-11-20 08:57:40.000003 ", 2000),
    ],
)
def test_differences(earlier: str, later: str, apart: int) -> None:
    first, second = log_time(earlier), log_time(later)
    assert first is not None
    assert second is not None
    assert second - first == apart


def test_the_kernels_own_stamp_is_preferred() -> None:
    assert log_time("Jun 10 10:19:44 hum kernel: [  150.028370] ") == 150_028_370_000


@pytest.mark.parametrize("prefix", ["", "br0", "Feb 31 10:00:00", "2026-13-01 10:00:00", "[..]"])
def test_no_time(prefix: str) -> None:
    assert log_time(prefix) is None


@given(st.text(alphabet="0123456789-:.+TZ[] JanFeb,", max_size=60))
def test_never_raises(prefix: str) -> None:
    log_time(prefix)
