"""How much hypothesis tries, and which machine can run the kernel tests."""

import os
import shutil
import signal

import pytest
from hypothesis import settings

from tests.kernel.refusal import refusal

# The machine's speed is no property of the code: nothing here has a deadline.
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
settings.register_profile("explore", parent=settings.get_profile("ci"), derandomize=False)
settings.load_profile("ci")

REQUIRED = "HOPBACK_REQUIRE_KERNEL"
"""Set: a program that a kernel test lacks is a failure. What the kernel refuses stays a skip."""

NEEDED_ALWAYS = ("ip", "bridge")


def absent_programs(marker: pytest.Mark) -> list[str]:
    programs = [*NEEDED_ALWAYS, *(need for need in marker.args if not need.startswith("/"))]
    return [name for name in programs if shutil.which(name) is None]


def closed_devices(marker: pytest.Mark) -> list[str]:
    devices = [need for need in marker.args if need.startswith("/")]
    return [name for name in devices if not os.access(name, os.R_OK | os.W_OK)]


def pytest_configure() -> None:
    # Where an unprivileged user's PATH does not look, and Debian keeps network tools.
    os.environ["PATH"] += os.pathsep + "/usr/sbin" + os.pathsep + "/sbin"
    # What was started in the background ignores these, and so would what the tests start.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def pytest_runtest_setup(item: pytest.Item) -> None:
    marker = item.get_closest_marker("kernel")
    if marker is None:
        return
    if reason := refusal():
        pytest.skip(f"kernel test: {reason}")
    if closed := closed_devices(marker):
        pytest.skip(f"kernel test: no access to {', '.join(closed)}")
    if absent := absent_programs(marker):
        reason = f"kernel test: not installed: {', '.join(absent)}"
        if os.environ.get(REQUIRED):
            pytest.fail(f"{reason}, and {REQUIRED} is set", pytrace=False)
        pytest.skip(reason)
