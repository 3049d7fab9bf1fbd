"""Reading changes and loads nothing, runs only what lists filters that are there, and sees them."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from hopback.snapshot.model import Snapshot
from hopback.snapshot.quote import quote
from hopback.snapshot.table import Missing
from hopback.sources.live import programs, read
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
        seen.append(" ".join(map(os.fsdecode, arguments[1])))
    elif event == "open" and arguments[0] != os.devnull and (arguments[2] or 0) & os.O_ACCMODE:
        seen.append(f"open for writing {arguments}")
sys.dont_write_bytecode = True
sys.addaudithook(hook)
found = live.read(tuple(sys.argv[1:]))
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


def watched(netns: str) -> list[str]:
    """The programs that reading a namespace runs, and the files that it opens for writing."""
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, netns],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={"PYTHONPATH": ":".join(str(Path(p).resolve()) for p in sys.path if p)},
    )
    links, seen = json.loads(done.stdout)
    assert links > 0
    assert all(isinstance(one, str) for one in seen)
    return [str(one) for one in seen]


def test_no_program_is_run_and_no_file_written(lab: Lab) -> None:
    """Neither nft nor iptables nor anything else, where there is nothing for them to list."""
    assert watched(lab.host) == []


@pytest.mark.kernel("nft")
def test_only_nft_is_run_where_it_has_rules(lab: Lab) -> None:
    """By what it lists nothing is loaded or changed."""
    load(lab, "table ip hb {\nchain c {\ncounter\n}\n}")
    try:
        before = modules(), state(lab), lab.run("nft list ruleset")
        assert [run.split("/")[-1] for run in watched(lab.host)] == ["nft list ruleset"]
        assert (modules(), state(lab), lab.run("nft list ruleset")) == before
    finally:
        lab.run("nft flush ruleset")


def load(lab: Lab, ruleset: str) -> None:
    """Give nft a ruleset; skip where the kernel would have to load a module first."""
    if presence("nf_tables", "CONFIG_NF_TABLES") != "present":
        pytest.skip("nf_tables is not in this kernel already")
    words = ["ip", "netns", "exec", lab.host, "nft", "-f", "-"]
    subprocess.run(words, input=ruleset, text=True, check=True, timeout=20)


RULESET = """
table bridge hb {
    chain forward {
        type filter hook forward priority filter; policy accept;
        iifname "p0" drop
    }
    chain called {
        counter
    }
}
table netdev hb {
    chain edge {
        type filter hook ingress device p1 priority 0
        counter drop
    }
}
"""


def chains(found: Snapshot) -> list[tuple[str, str, str | None, tuple[str, ...] | None]]:
    return [(c.family, c.name, c.hook, c.devices) for c in found.filter_chains.rows]


@pytest.mark.kernel("nft")
def test_rules_are_read_where_they_are(lab: Lab) -> None:
    """They cite nft's listing of their namespace."""
    load(lab, RULESET)
    try:
        found = read((lab.host,))
        assert chains(found) == [
            ("bridge", "forward", "forward", None),
            ("bridge", "called", None, None),
            ("netdev", "edge", "ingress", ("p1",)),
        ]
        rule = found.filter_rules.rows[0]
        assert (rule.netns, rule.text) == (lab.host, 'iifname "p0" drop')
        assert quote(found, rule.cite) == 'iifname "p0" drop'
        assert found.sources[rule.cite.source].name == "nft list ruleset"
        assert not found.filters.rows
    finally:
        lab.run("nft flush ruleset")
    assert not read((lab.host,)).filter_chains.rows


@pytest.mark.kernel("nft")
@pytest.mark.parametrize("way", ["absent", "refusing"])
def test_chains_are_seen_where_nft_cannot_list_them(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, way: str
) -> None:
    """One row for each base chain that does anything, a netdev chain's only its device."""
    load(lab, RULESET)
    if way == "refusing":
        (tmp_path / "nft").write_text("#!/bin/sh\necho no way >&2\nexit 1\n")
        (tmp_path / "nft").chmod(0o755)
    monkeypatch.setattr(programs, "_PATH", str(tmp_path))
    try:
        found = read((lab.host,))
    finally:
        monkeypatch.undo()
        lab.run("nft flush ruleset")
    assert [(row.family, row.name, row.devices) for row in found.filters.rows] == [
        ("bridge", "nft bridge hb forward", None),
        ("netdev", "nft netdev hb edge", ("p1",)),
    ]
    assert not found.filter_chains.rows
    reason = "no way" if way == "refusing" else "nft is not installed"
    assert any(reason in problem.message for problem in found.problems)
    assert isinstance(found.filter_rules, Missing)
    assert reason in found.filter_rules.reason


@pytest.mark.kernel("iptables-nft", "iptables-nft-save", "ebtables-nft", "ebtables-nft-save")
def test_extensions_are_told_by_the_programs_that_made_them(lab: Lab) -> None:
    """nft shows no more of them than their name, and nothing is changed by asking."""
    load(lab, "")
    for command in (
        "iptables-nft -A FORWARD -m string --string x --algo bm -j DROP",
        "ebtables-nft -A FORWARD -p ARP --arp-ip-src 192.0.2.1 -j DROP",
    ):
        words = ["ip", "netns", "exec", lab.host, *command.split()]
        done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
        if done.returncode:
            lab.run("nft flush ruleset")
            pytest.skip(f"{command}: {done.stderr.strip()}")
    try:
        before = lab.run("nft list ruleset")
        found = read((lab.host,))
        assert lab.run("nft list ruleset") == before
    finally:
        lab.run("nft flush ruleset")
    cited = {found.sources[row.cite.source].name for row in found.filter_rules.rows}
    assert {"nft list ruleset", "iptables-nft-save"} <= cited
    assert "ip6tables-nft-save" not in cited


@pytest.mark.kernel("iptables-legacy", "iptables-legacy-save")
def test_legacy_rules_are_read_of_tables_that_exist(lab: Lab) -> None:
    words = ["ip", "netns", "exec", lab.host, "iptables-legacy", "-A", "FORWARD", "-j", "DROP"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    if done.returncode:
        pytest.skip(f"iptables-legacy: {done.stderr.strip()}")
    before = state(lab)
    found = read((lab.host,))
    assert state(lab) == before
    (rule,) = [rule for rule in found.filter_rules.rows if rule.backend == "legacy"]
    assert (rule.chain, rule.text) == ("FORWARD", "-A FORWARD -j DROP")
    assert found.sources[rule.cite.source].name == "iptables-legacy-save -t filter"


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
