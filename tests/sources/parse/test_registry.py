"""Which parser reads what."""

import re
from pathlib import Path

import pytest

from hopback.sources.parse import registry
from hopback.sources.parse.commands import parse_commands
from hopback.sources.parse.file_names import parse_file_name

FIXTURES = Path(__file__).parents[2] / "fixtures"


def named(line: str) -> str | None:
    found = registry.for_command(parse_commands(line)[0].words)
    return registry.name_of(found) if found else None


@pytest.mark.parametrize("name", registry.NAMES)
def test_every_parser_keeps_the_contract(name: str) -> None:
    found = registry.parser(name)
    assert registry.name_of(found) == name
    assert all(isinstance(command, tuple) and command for command in found.COMMANDS)
    assert found.SHAPE is None or isinstance(found.SHAPE, re.Pattern)
    assert isinstance(found.FILLS, tuple)
    assert callable(found.parse)


def test_unknown_name() -> None:
    with pytest.raises(KeyError):
        registry.parser("os")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("brctl show", "brctl_show"),
        ("brctl showmacs br0", "brctl_showmacs"),
        ("brctl showstp br0", "brctl_showstp"),
        ("bridge fdb", "bridge_fdb"),
        ("bridge -s fdb show br br0", "bridge_fdb"),
        ("bridge monitor fdb", "bridge_monitor"),
        ("bridge -d link", "bridge_link"),
        ("bridge vlan", "bridge_vlan"),
        ("bridge mdb show", "bridge_mdb"),
        ("ip -d l", "ip_link"),
        ("ip a", "ip_addr"),
        ("ip r", "ip_route"),
        ("ip ru", "ip_rule"),
        ("ip -6 tunnel show", "ip_tunnel"),
        ("wg show all dump", "wg"),
        ("cat /etc/wireguard/wg0.conf", "wg"),
        ("ip n", "ip_neigh"),
        ("ifconfig -a", "ifconfig"),
        ("virsh dumpxml i-1", "virsh_xml"),
        ("virsh list --all", "virsh_list"),
        ("virsh nwfilter-list", "virsh_nwfilter_list"),
        ("virsh nwfilter-binding-list", "virsh_nwfilter_binding_list"),
        ("cat /etc/libvirt/nwfilter/allow-arp.xml", "virsh_xml"),
        ("virsh domiflist i-1", "virsh_domiflist"),
        ("cat /proc/net/bonding/bond0", "bonding"),
        ("cat /proc/net/vlan/config", "vlan_config"),
        ("sysctl -a", "sysctl"),
        ("uname -r", "uname"),
        ("hostnamectl status", "hostnamectl"),
        ("dmesg -T", "kernel_log"),
        ("journalctl -k", "kernel_log"),
        ("journalctl -u kubelet | grep -i hairpin", "kubelet"),
        ("tcpdump -eni br0", "tcpdump"),
        ("ping 10.0.0.1", "ping"),
        ("ip -6 r get 2001:db8::1", "ip_route_get"),
        ("tracepath -n 10.0.0.1", "traceroute"),
        ("mtr -r 10.0.0.1", "traceroute"),
        ("arping -D -I eth0 10.0.0.1", "arping"),
        ("crictl pods | grep web", "crictl_pods"),
        ("cat /var/lib/misc/dnsmasq.leases", "dhcp_leases"),
        ("nft list ruleset", "nft"),
        ("nft -j list table inet filter", "nft"),
        ("iptables -t nat -vnL", "xtables"),
        ("ip6tables-save -c", "xtables"),
        ("ebtables-legacy -t nat -L", "xtables"),
        ("arptables-nft-save", "xtables"),
        ("ipset list trusted", "ipset"),
        ("ipvsadm -Ln", "ipvs"),
        ("ipvsadm-save -n", "ipvs"),
        ("cat /proc/net/ip_vs_conn", "ipvs"),
        ("cat /etc/keepalived/keepalived.conf", "keepalived"),
        ("keepalived -n -l", "kernel_log"),
        ("nstat -az", "counters"),
        ("netstat -s", "counters"),
        ("cat /proc/net/snmp6", "counters"),
        ("mpstat -P ALL 1 5", "cpu_shares"),
        ("top -b -n 1", "cpu_shares"),
        ("conntrack -L -o extended", "conntrack"),
        ("cat /proc/net/nf_conntrack", "conntrack"),
        ('vtysh -c "show evpn mac vni all"', "evpn"),
        ("cat lvs-mark.sh", "shell_script"),
        ("firewall-cmd --direct --get-all-rules", "shell_script"),
        ("kubectl get svc", None),
    ],
)
def test_command(line: str, name: str | None) -> None:
    assert named(line) == name


@pytest.mark.parametrize(
    "path",
    [path for path in sorted(FIXTURES.glob("*/*.txt")) if path.stat().st_size],
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_shape_agrees_with_the_name(path: Path) -> None:
    """Whoever claims a listing's first line must be the parser of its command.

    The monitor's lines are those of the table: only the command tells them apart.
    """
    by_name = registry.for_command(parse_file_name(path.name).words)
    if by_name is registry.parser("bridge_monitor"):
        return
    lines = path.read_text().splitlines()
    by_shape = registry.for_line(next(line for line in lines if line.strip()))
    if by_name and by_shape:
        assert registry.name_of(by_shape) == registry.name_of(by_name)
