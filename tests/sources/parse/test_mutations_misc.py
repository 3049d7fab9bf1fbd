"""Damaged listings: whatever happens to a recorded one, its parser neither raises nor cites what
is not there."""

from collections.abc import Callable
from types import ModuleType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopback.sources.parse import (
    arping,
    bonding,
    conntrack,
    counters,
    cpu_shares,
    crictl_pods,
    dhcp_leases,
    evpn,
    hairpin_advice,
    hostnamectl,
    ip_route_get,
    ip_tunnel,
    ipset,
    ipvs,
    keepalived,
    kernel_log,
    kubelet,
    mac_flap,
    nft,
    ping,
    pve_config,
    shell_script,
    sysctl,
    sysfs,
    tcpdump,
    traceroute,
    uname,
    virsh_domiflist,
    virsh_list,
    virsh_nwfilter_binding_list,
    virsh_nwfilter_list,
    virsh_xml,
    vlan_config,
    wg,
    xtables,
)
from hopback.sources.parse.base import Text
from tests.sources.parse.given import recorded

RECORDED: tuple[tuple[ModuleType, str], ...] = (
    (virsh_xml, "libvirt/virsh-dumpxml-vml-k3.xml"),
    (virsh_xml, "libvirt/virsh-nwfilter-binding-dumpxml-vnet9.xml"),
    (virsh_xml, "libvirt/virsh-nwfilter-dumpxml-clean-traffic.xml"),
    (virsh_list, "libvirt/virsh-list.txt"),
    (virsh_nwfilter_list, "libvirt/virsh-nwfilter-list.txt"),
    (virsh_nwfilter_binding_list, "libvirt/virsh-nwfilter-binding-list.txt"),
    (virsh_domiflist, "libvirt/virsh-domiflist-vml-k1.txt"),
    (bonding, "vm61-bond/proc-net-bonding-bond0.txt"),
    (vlan_config, "vm61-bond/proc-net-vlan-config.txt"),
    (sysfs, "libvirt/sysfs-brport-vnet7.txt"),
    (sysfs, "vm61-bond/sysfs-bonding.txt"),
    (sysctl, "vm61-director-a/sysctl-vs.txt"),
    (uname, "vm61-bond/uname.txt"),
    (kernel_log, "vm61-bond/dmesg.txt"),
    (kernel_log, "libvirt/guest-console-vml-k1.txt"),
    (tcpdump, "vm61-capture/ipvs-dr4-loop-tcpdump-env.txt"),
    (nft, "libvirt/nft-list-ruleset.txt"),
    (nft, "libvirt/nft-j-list-ruleset.json"),
    (nft, "nft-language/nft-list-ruleset.txt"),
    (nft, "nft-language/nft-j-list-ruleset.json"),
    (xtables, "libvirt/ebtables-save.txt"),
    (xtables, "libvirt/ebtables-t-nat-L.txt"),
    (xtables, "xtables/iptables-nft-save-c.txt"),
    (xtables, "xtables/iptables-nft-vnL.txt"),
    (xtables, "xtables/iptables-legacy-L.txt"),
    (xtables, "xtables/ip6tables-nft-save.txt"),
    (xtables, "xtables/ebtables-nft-save-c.txt"),
    (xtables, "xtables/arptables-nft-save.txt"),
    (ip_tunnel, "tunnels/ip-tunnel-show.txt"),
    (ip_tunnel, "tunnels/ip-6-j-tunnel-show.json"),
    (wg, "tunnels/wg-show.txt"),
    (wg, "tunnels/wg-show-all-dump.txt"),
    (wg, "tunnels/wg-showconf-wg0.txt"),
    (ipset, "xtables/ipset-save.txt"),
    (ipset, "xtables/ipset-list.txt"),
    (conntrack, "conntrack/conntrack-L.txt"),
    (conntrack, "conntrack/proc-net-nf_conntrack.txt"),
    (ip_route_get, "traces/ip-route-get-198.51.100.30.txt"),
    (traceroute, "traces/traceroute-n-198.51.100.30.txt"),
    (traceroute, "traces/tracepath-n-198.51.100.30.txt"),
    (traceroute, "traces/mtr-n-r-198.51.100.30.txt"),
    (ipvs, "vm61-director-a/ipvsadm-Ln.txt"),
    (ipvs, "vm61-director-a/ipvsadm-Sn.txt"),
    (ipvs, "vm61-director-a/ipvsadm-Lnc.txt"),
    (ipvs, "vm61-director-a/ipvsadm-Ln-stats.txt"),
    (ipvs, "vm61-director-a/proc-net-ip_vs.txt"),
    (ipvs, "vm61-director-a/proc-net-ip_vs_conn.txt"),
    (ipvs, "vm61-director-a/proc-net-ip_vs_stats.txt"),
    (keepalived, "keepalived/keepalived.conf"),
    (kernel_log, "directors/split/a/keepalived.log"),
    (counters, "vm61-director-a/nstat.txt"),
    (counters, "counters/netstat-s.txt"),
    (counters, "counters/proc-net-snmp.txt"),
    (counters, "counters/proc-net-snmp6.txt"),
    (cpu_shares, "counters/mpstat.txt"),
    (cpu_shares, "counters/top.txt"),
)
RECORDED_PARSERS = dict.fromkeys(parser for parser, _ in RECORDED)
PARSERS = (
    *RECORDED_PARSERS,
    arping,
    crictl_pods,
    dhcp_leases,
    evpn,
    hairpin_advice,
    hostnamectl,
    kubelet,
    mac_flap,
    ping,
    pve_config,
    shell_script,
)

PROSE = (
    "and then I saw this:",
    "[...]",
    "--",
    "<!-- not closed",
    "}",
    "table bridge x {",
    "Chain FORWARD (policy DROP)",
    "==> /proc/net/bonding/b9 <==",
    "    <interface type='bridge'>",
    "\t(tos 0x0, ttl 1, id 1)",
    "*nat",
    "-A FORWARD -m set --match-set",
    "Chain FORWARD (policy ACCEPT)",
)
FIRST = 7  # the listing need not begin where its origin does


def cut(lines: list[str], draw: Callable[[int], int]) -> None:
    at = draw(len(lines) - 1)
    lines[at] = lines[at][: draw(len(lines[at]))]


def delete(lines: list[str], draw: Callable[[int], int]) -> None:
    start = draw(len(lines) - 1)
    del lines[start : start + 1 + draw(5)]


def double(lines: list[str], draw: Callable[[int], int]) -> None:
    at = draw(len(lines) - 1)
    lines.insert(draw(len(lines)), lines[at])


def put_nul(lines: list[str], draw: Callable[[int], int]) -> None:
    at = draw(len(lines) - 1)
    column = draw(len(lines[at]))
    lines[at] = lines[at][:column] + "\0" + lines[at][column:]


def put_byte(lines: list[str], draw: Callable[[int], int]) -> None:
    at = draw(len(lines) - 1)
    column = draw(len(lines[at]))
    lines[at] = lines[at][:column] + chr(draw(0x2FF)) + lines[at][column + 1 :]


def put_prose(lines: list[str], draw: Callable[[int], int]) -> None:
    lines.insert(draw(len(lines)), PROSE[draw(len(PROSE) - 1)])


DAMAGES = (cut, delete, double, put_nul, put_byte, put_prose)


def check(parser: ModuleType, text: Text) -> None:
    parsed = parser.parse(text)
    inside = range(FIRST, FIRST + max(len(text.lines), 1))
    assert all(row.cite.source == text.source for row in parsed.rows)
    assert all(row.cite.line in inside for row in parsed.rows)
    assert all(problem.line in inside for problem in parsed.problems)
    assert all(problem.source == text.name for problem in parsed.problems)
    msgspec.json.encode(list(parsed.rows))  # every value fits what a snapshot can hold
    if not text.strict:
        stray = [p for p in parsed.problems if p.message.startswith("not a line")]
        assert not stray


@given(data=st.data(), strict=st.booleans(), keep_command=st.booleans())
@settings(max_examples=60)
@pytest.mark.parametrize(("parser", "name"), RECORDED, ids=[name for _, name in RECORDED])
def test_damaged(
    parser: ModuleType, name: str, data: st.DataObject, strict: bool, keep_command: bool
) -> None:
    text = recorded(name)
    lines = list(text.lines)

    def draw(largest: int) -> int:
        return data.draw(st.integers(0, max(largest, 0)))

    for damage in data.draw(st.lists(st.sampled_from(DAMAGES), min_size=1, max_size=6)):
        if not lines:
            break
        damage(lines, draw)
    command = text.command if keep_command else ()
    check(parser, text._replace(lines=lines, first=FIRST, command=command, strict=strict))


@given(lines=st.lists(st.text(max_size=40), max_size=6), strict=st.booleans())
@settings(max_examples=60)
@pytest.mark.parametrize("parser", PARSERS)
def test_any_text(parser: ModuleType, lines: list[str], strict: bool) -> None:
    check(parser, Text(0, "noise", lines, FIRST, (), "", strict))


@pytest.mark.parametrize("parser", PARSERS)
@pytest.mark.parametrize(
    "line",
    [
        "a" * 100_000,
        " " * 100_000 + "x",
        "1 " + "x" + " " * 100_000,
        "/" * 100_000,
        "<a" + "b" * 100_000,
        "a " * 50_000,
        ":" * 100_000,
        "{" * 20_000,
    ],
    ids=["letters", "blanks", "gap", "slashes", "tag", "words", "colons", "braces"],
)
def test_long_lines_stay_linear(parser: ModuleType, line: str) -> None:
    check(parser, Text(0, "long", [line], FIRST))
    if parser.SHAPE is not None:
        parser.SHAPE.match(line)


@pytest.mark.parametrize(("parser", "name"), RECORDED, ids=[name for _, name in RECORDED])
def test_undamaged_is_read_without_problems(parser: ModuleType, name: str) -> None:
    parsed = parser.parse(recorded(name))
    assert parsed.rows
    assert not parsed.problems
