"""Command lines and file names as words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hopback.sources.parse.commands import parse_commands, says_nothing
from hopback.sources.parse.file_names import parse_file_name


def words(line: str) -> str:
    return " ; ".join(" ".join(command.words) for command in parse_commands(line))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ip a", "ip address"),
        ("ip ad", "ip address"),
        ("ip -br l", "ip -br link"),
        ("ip r s", "ip route show"),
        ("ip ru", "ip rule"),
        ("ip n", "ip neigh"),
        ("ip neighbour ls", "ip neigh show"),
        ("ip a s eth0", "ip address show eth0"),
        ("ip -d -s link show dev eth0", "ip -d -s link show dev eth0"),
        ("bridge l", "bridge link"),
        ("bridge -t monitor fdb", "bridge -t monitor fdb"),
        ("/usr/sbin/brctl show", "brctl show"),
        ("sudo -u root tcpdump -i eth0", "tcpdump -i eth0"),
        ("LC_ALL=C ip neigh", "ip neigh"),
        ("watch -n 1 'ip a'", "ip address"),
        ("watch -n1 bridge fdb show br br0", "bridge fdb show br br0"),
        ('vtysh -c "show evpn mac vni all"', "show evpn mac vni all"),
        ("bash -c 'ip l'", "ip link"),
        ("timeout 5 tcpdump -ni br0", "tcpdump -ni br0"),
        ("dmesg 2>&1 | less", "dmesg"),
        ("ip l; ip a && bridge fdb", "ip link ; ip address ; bridge fdb"),
        ("", ""),
        ("   ", ""),
        ("echo 'unclosed", "echo 'unclosed"),
    ],
)
def test_words(line: str, expected: str) -> None:
    assert words(line) == expected


@pytest.mark.parametrize(
    ("line", "netns"),
    [
        ("ip netns exec q-1 ip a", "q-1"),
        ("ip -n blue link", "blue"),
        ("ip -netns blue link", "blue"),
        ("bridge -n blue fdb", "blue"),
        ("nsenter -t 123 -n ip a", "pid 123"),
        ("sudo nsenter --net=/var/run/netns/blue bridge link", "blue"),
        ("ip link", ""),
    ],
)
def test_namespace(line: str, netns: str) -> None:
    (command,) = parse_commands(line)
    assert command.netns == netns
    assert command.words[0] in ("ip", "bridge")


@pytest.mark.parametrize(
    ("line", "host"),
    [
        ("docker exec -it web ip addr", "web"),
        ("podman exec -u root web ip addr", "web"),
        ("kubectl exec -n kube -it pod-1 -c x -- ip addr", "pod-1"),
        ("kubectl exec -it pod-1 -- ip addr", "pod-1"),
        ("lxc exec c1 -- ip addr", "c1"),
        ("ssh -p 22 root@node2 ip addr", "node2"),
        ("ip addr", None),
    ],
)
def test_elsewhere(line: str, host: str | None) -> None:
    (command,) = parse_commands(line)
    assert command.words == ("ip", "address")
    assert command.host == host


@pytest.mark.parametrize("pipe", ["grep x", "head", "tail -5", "awk '{print}'", "xargs cat"])
def test_pipe_that_takes_lines_away(pipe: str) -> None:
    assert parse_commands(f"bridge fdb show | {pipe}")[0].filtered


@pytest.mark.parametrize("pipe", ["cat", "less", "tee x", "sort", "sort | less"])
def test_pipe_that_keeps_all(pipe: str) -> None:
    assert not parse_commands(f"bridge fdb show | {pipe}")[0].filtered


def test_output_that_went_to_a_file() -> None:
    (command,) = parse_commands("echo 1 > /sys/class/net/br0/brif/vnet0/hairpin_mode")
    assert command.words == ("echo", "1")
    assert command.into == "/sys/class/net/br0/brif/vnet0/hairpin_mode"
    assert parse_commands("dmesg 2>/dev/null")[0].into is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ip-d-s-j-link.json", "ip -d -s -j link"),
        ("ip-a.txt", "ip address"),
        ("brctl-showmacs.txt", "brctl showmacs"),
        ("brctl-showmacs-br-lan.txt", "brctl showmacs br-lan"),
        ("virsh-dumpxml-vml-k1.xml", "virsh dumpxml vml-k1"),
        ("virsh-nwfilter-binding-dumpxml-vnet8.xml", "virsh nwfilter-binding-dumpxml vnet8"),
        ("virsh-nwfilter-list.txt", "virsh nwfilter-list"),
        ("nft-j-list-ruleset.json", "nft -j list ruleset"),
        ("ebtables-t-nat-L.txt", "ebtables -t nat -L"),
        ("ebtables-save.txt", "ebtables-save"),
        ("uname", "uname"),
        ("proc-net-bonding-bond0.txt", "cat /proc/net/bonding/bond0"),
        ("nstat-az.txt", "nstat -az"),
        ("lvs-mark.sh", "cat lvs-mark.sh"),
        ("proc-net-vlan-config.txt", "cat /proc/net/vlan/config"),
        ("ip_-d_address", "ip -d address"),
        ("bridge_-s_-s_-d_-t_fdb_show", "bridge -s -s -d -t fdb show"),
        ("ip_route_show_table_all", "ip route show table all"),
    ],
)
def test_file_names(name: str, expected: str) -> None:
    assert " ".join(parse_file_name(name).words) == expected


def test_file_name_with_a_namespace() -> None:
    command = parse_file_name("ip_netns_exec_q-1_ip_-d_address")
    assert (command.netns, command.words) == ("q-1", ("ip", "-d", "address"))


@pytest.mark.parametrize(
    "line",
    ["date", "virsh net-list", "docker ps -a", "ebtables -V", "cd /sys", "cat /proc/net/dev"],
)
def test_silent(line: str) -> None:
    assert says_nothing(parse_commands(line)[0])
    assert not says_nothing(parse_commands("cat")[0])


@given(st.text(st.sampled_from("ipbrda -netnsexc|;&<>'\"$(){}\\ \t#"), max_size=40))
def test_never_raises(line: str) -> None:
    for command in parse_commands(line):
        assert command.words
        assert isinstance(command.plain, tuple)
    assert parse_file_name(line).words
