"""Reading changes, loads and runs nothing, and still sees which filters there are."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hopback.snapshot.rows import PacketFilter
from hopback.snapshot.table import Missing
from hopback.sources.live import read
from hopback.sources.live.modules import presence
from tests.sources.live.conftest import Lab

pytestmark = pytest.mark.kernel

# Audit hooks stay for the life of a process, so this runs in one of its own.
WATCHED = """
import json, os, sys
import hopback.sources.live as live
import hopback.sources.parse.kernel_log
seen = []
def hook(event, arguments):
    if event in ("subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn"):
        seen.append(f"{event} {arguments}")
    elif event == "open" and isinstance(arguments[2], int) and arguments[2] & os.O_ACCMODE:
        seen.append(f"open for writing {arguments}")
sys.dont_write_bytecode = True
sys.addaudithook(hook)
found = live.read()
print(json.dumps([len(found.links.rows), seen]))
"""


def modules() -> set[str]:
    path = Path("/proc/modules")
    if not path.exists():  # a kernel without modules
        return set()
    return {line.split()[0] for line in path.read_text().splitlines()}


def state(lab: Lab) -> dict[str, str]:
    """What a careless reader would change, without the times that run down by themselves."""
    commands = ("bridge -d link", "ip addr", "ip rule", "ip route show table all")
    files = ("ip_tables_names", "ip6_tables_names", "arp_tables_names")
    said = {command: re.sub(r"\d+sec", "", lab.run(command)) for command in commands}
    for name in files:
        done = subprocess.run(
            ["ip", "netns", "exec", lab.host, "cat", f"/proc/net/{name}"],
            capture_output=True,
            text=True,
            check=False,
        )
        said[name] = done.stdout
    return said


def test_nothing_is_loaded_or_changed(lab: Lab) -> None:
    """The same modules and the same tables before and after."""
    before = modules(), state(lab)
    read()
    read((lab.host, lab.guest))
    assert (modules(), state(lab)) == before


def test_no_program_is_run_and_no_file_written(lab: Lab) -> None:
    """Neither nft nor iptables nor anything else."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": ":".join(str(Path(p).resolve()) for p in sys.path if p)},
    )
    links, seen = json.loads(done.stdout)
    assert links > 0
    assert seen == []


def filters(lab: Lab) -> set[tuple[str, str, tuple[str, ...] | None]]:
    if presence("nf_tables", "CONFIG_NF_TABLES") != "present":
        pytest.skip("nf_tables is not in this kernel already")
    rows = read((lab.host,)).table(PacketFilter).rows
    return {(row.family, row.name, row.devices) for row in rows}


RULES = {
    "table bridge hb": """
        chain quiet { type filter hook input priority 0 ; }
        chain forward { type filter hook forward priority 0 ; iifname "p0" drop ; }
        chain called { counter ; }""",
    "table ip hb": "chain input { type filter hook input priority 0 ; policy drop ; }",
    "table netdev hb": """chain edge {
        type filter hook ingress device p1 priority 0 ; counter drop ; }""",
}


@pytest.mark.kernel("nft")
def test_base_chains_are_seen(lab: Lab) -> None:
    """One row each; none for one that is empty and accepts, a netdev chain only its device."""
    assert not filters(lab)
    ruleset = "\n".join(f"{table} {{\n{chains}\n}}" for table, chains in RULES.items())
    subprocess.run(
        ["ip", "netns", "exec", lab.host, "nft", "-f", "-"],
        input=ruleset.replace(";", "\n"),
        text=True,
        check=True,
        timeout=20,
    )
    try:
        assert filters(lab) == {
            ("bridge", "nft bridge hb forward", None),
            ("ip", "nft ip hb input", None),
            ("netdev", "nft netdev hb edge", ("p1",)),
        }
    finally:
        lab.run("nft flush ruleset")


def test_filters_count_as_whole_only_if_all_could_be_asked(lab: Lab) -> None:
    """ebtables cannot be asked without creating its tables: then it is said."""
    found = read((lab.host,))
    ebtables = {
        "ebtable_filter": "CONFIG_BRIDGE_EBT_T_FILTER",
        "ebtable_nat": "CONFIG_BRIDGE_EBT_T_NAT",
        "ebtable_broute": "CONFIG_BRIDGE_EBT_BROUTE",
    }
    unsure = [m for m, symbol in ebtables.items() if presence(m, symbol) != "absent"]
    if presence("nf_tables", "CONFIG_NF_TABLES") == "unknown":
        unsure.append("nf_tables")
    assert found.filters.complete(lab.host) is not bool(unsure)
    if unsure:
        assert isinstance(found.filters, Missing)
        assert unsure[0] in found.filters.reason


@pytest.mark.kernel("tc")
def test_tc_filters_are_blind_spots(lab: Lab) -> None:
    """A clsact qdisc alone does nothing; a filter on it may do anything."""
    lab.run("tc qdisc add dev q2 clsact")
    try:
        assert not read((lab.host,)).blinds.rows
        for hook in ("ingress", "egress"):
            lab.run(f"tc filter add dev q2 {hook} protocol all u32 match u32 0 0 flowid 1:1")
        found = read((lab.host,)).blinds.rows
        assert [(row.dev, row.what) for row in found] == [
            ("q2", "tc filter on ingress"),
            ("q2", "tc filter on egress"),
        ]
    finally:
        lab.run("tc qdisc del dev q2 clsact")


def test_an_ingress_qdisc_counts_too(lab: Lab) -> None:
    """The older of the two kinds has another parent."""
    lab.run("tc qdisc add dev q3 ingress")
    try:
        lab.run("tc filter add dev q3 ingress protocol all u32 match u32 0 0 flowid 1:1")
        assert [(r.dev, r.what) for r in read((lab.host,)).blinds.rows] == [
            ("q3", "tc filter on ingress")
        ]
    finally:
        lab.run("tc qdisc del dev q3 ingress")
