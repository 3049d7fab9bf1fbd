"""The record of releases, and the page made from it."""

import msgspec

from docs.generate import fidelity_page
from tests.fidelity.record import with_runs
from tests.fidelity.report import AreaRun

HOST = AreaRun("host", "6.18.44", "bridge", 10, 400, 0, 21, 21, "2026-11-20", ("ageing",))
UML = AreaRun("uml", "6.1.176", "bridge", 5, 1200000, 0, 21, 21, "2026-11-20", ("ageing",))


def decoded(record: bytes) -> list[AreaRun]:
    return msgspec.json.decode(record, type=list[AreaRun])


def test_a_run_replaces_the_one_of_its_kernel_and_area() -> None:
    record = with_runs(with_runs(b"[]", [UML, HOST]), [msgspec.structs.replace(HOST, cases=99)])
    assert [(run.kernel, run.cases) for run in decoded(record)] == [("host", 99), ("uml", 5)]


def test_the_page_says_what_the_record_says() -> None:
    page = fidelity_page(msgspec.json.decode(with_runs(b"[]", [HOST, UML])))
    assert "| 6.18.44 (running kernel) | bridge | 10 | 400 | 0 | 21/21 | 2026-11-20 |" in page
    assert "| 6.1.176 (user-mode kernel) | bridge | 5 | 1,200,000 | 0 | 21/21 |" in page
    assert page.count("- ageing\n") == 1


def test_the_page_says_which_rules_no_run_compared() -> None:
    told = fidelity_page(msgspec.json.decode(with_runs(b"[]", [HOST]))).split("## No run recorded")
    areas = told[1].replace(".", "").replace(",", "").split()
    assert "device" in areas
    assert "bridge" not in areas
