"""Namespaces are refused where building them would make the kernel load a module."""

from pathlib import Path
from typing import NoReturn

import pytest

from hopback.lab.netns import isolate as isolation
from hopback.lab.netns.isolate import isolate
from hopback.lab.steps import Plan, Refused, Step

PLAN = Plan(
    ("host",),
    (
        Step("host", "ip", "link add name br0 type bridge stp_state 0"),
        Step("host", "ip", "link add name a type veth peer name b"),
    ),
    (),
    (),
    (),
)


class Left(Exception):
    """Instead of leaving the namespaces of the test."""


def leave() -> NoReturn:
    raise Left


@pytest.fixture(autouse=True)
def stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "_leave", leave)


def test_absent_module_is_named_with_what_loads_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "modules").touch()
    monkeypatch.setattr(isolation, "_LOADABLE", tmp_path / "modules")
    absent = {"bridge": "present", "veth": "absent"}
    monkeypatch.setattr(isolation, "presence", lambda module, _: absent[module])
    with pytest.raises(Refused, match="modprobe -a veth, or use --in uml") as refused:
        isolate(PLAN)
    assert refused.value.denied


def test_kernel_without_modules_loads_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(isolation, "_LOADABLE", tmp_path / "modules")
    monkeypatch.setattr(isolation, "presence", lambda *_: "unknown")
    with pytest.raises(Left):
        isolate(PLAN)
