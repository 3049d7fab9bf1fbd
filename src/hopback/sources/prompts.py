"""Shell prompts, and headings that name a host, in text that somebody pasted.

A prompt that names its host is believed if a known program follows or the host was seen before; a
bare ``$`` or ``#`` only before a known program, since prose and comments begin like that too.
"""

import re
from collections.abc import Container
from typing import NamedTuple


class Prompt(NamedTuple):
    """A prompt: ``host`` is None if it names none; ``indent`` are the blanks before it."""

    host: str | None
    command: str
    netns: str = ""
    indent: int = 0


_NAMES = """
    sudo doas env time watch timeout nohup nice for while if cd cat head tail less more grep egrep
    zgrep awk sed sort find xargs echo printf ls ll tee test which export source history uname date
    uptime hostname hostnamectl id whoami ps top free df lsmod lspci lscpu modprobe modinfo ethtool
    mpstat ip bridge brctl tc ss netstat ifconfig iwconfig iw route arp arping nmcli networkctl
    netplan wicked ifup ifdown ifquery ping ping6 traceroute traceroute6 tracepath mtr tcpdump
    tshark dmesg journalctl logread syslog sysctl systemctl service show vtysh birdc nft iptables
    ip6tables iptables-save ip6tables-save iptables-legacy iptables-nft ebtables ebtables-save
    ebtables-legacy ebtables-legacy-save ebtables-nft arptables conntrack ipset ipvsadm keepalived
    firewall-cmd ufw virsh virt-install qemu-system-x86_64 qm pct ovs-vsctl ovs-ofctl ovs-appctl
    ovs-dpctl docker podman nerdctl crictl ctr lxc incus kubectl oc k3s calicoctl calico-node cilium
    weave openstack neutron nova nsenter unshare netns nstat bpftool teamd teamdctl cat wget curl
    dhclient udhcpc dhcpcd odhcp6c rdisc6 ndisc6 nslookup dig ssh telnet nc iperf iperf3 perf bash
    sh python python3 lldpctl lldpcli tcpreplay mii-tool ifenslave vconfig virt-manager rdma
    xl xe xm esxcli vim-cmd batctl swconfig uci ubus wg wg-quick
    """
PROGRAMS = frozenset(_NAMES.split())
"""First words by which a command is recognised."""

_NAME = r"[A-Za-z0-9][\w.:-]{0,62}"
_MARK = re.compile(r"[#$%>]")
_BRACKETS = re.compile(rf"\[(?:[\w.-]+@)?({_NAME})(?=[\]\s:])[^\]]*\]\s?[#$%>]\s*(.*)")
_USER_AT = re.compile(
    rf"[\w.-]+@({_NAME}?)(?::[^#$%>]*|\s+[~/][^#$%>\s]*(?:\s\([^)]*\))?|\s[\w.-]+)?\s?([#$%>])"
    r"\s*(.*)"
)
_PARENTHESES = re.compile(r"\(([^()]{1,60})\)\s*[#$%>](?:\s+(.*)|)")
_PLACED = re.compile(rf"({_NAME}?)[: ][~/][^#$%>\s]*\s?[#$%]\s*(.*)")
_NAMED = re.compile(rf"({_NAME})(?:([#$>])\s?|\s(%)\s)(?![#$%>])(.*)")
_BARE = re.compile(r"(?:[~/]\S*\s)?[#$%]\s+(.*)")
_SHELL = re.compile(r"(?:ba|da|a|z|k|c|tc|fi)?sh(?:-\d[\d.]*)?")
_NETNS = re.compile(r"(?:ip )?netns (\S+)")
_VENV = re.compile(r"\([\w.-]+\)\s+(?=\S*@|\[)")

_RULED = re.compile(r"(?:={2,}|-{3,}|\*{2,}|#{1,4})\s*(\S.*?)\s*(?:={2,}|-{3,}|\*{2,}|#{1,4})?:?")
_HOST_HEADING = re.compile(
    r"(?:\W*)(?:on |from )?(?:the )?(?:host|node|server|guest|vm|hypervisor|container|pod|router"
    rf"|director|compute(?: node)?)\s+[\"'`]?({_NAME}?)[\"'`]?\s*:",
    re.IGNORECASE,
)
_LOG_HEADING = re.compile(rf"\[({_NAME}) log\]")


def read_prompt(line: str, hosts: Container[str] = ()) -> Prompt | None:
    """The prompt with which the line begins, or None. ``hosts`` are those already seen."""
    if not _MARK.search(line, 0, 120):
        return None
    bare = line.lstrip()
    indent = len(line) - len(bare)
    bare = bare[_VENV.match(bare).end() :] if _VENV.match(bare) else bare  # type: ignore[union-attr]
    found = _labelled(bare) or _named(bare, hosts) or _anonymous(bare)
    return found._replace(indent=indent) if found else None


def _labelled(line: str) -> Prompt | None:
    """Prompts whose form alone tells that they are one."""
    if match := _BRACKETS.fullmatch(line):
        return Prompt(match[1], match[2])
    if (match := _USER_AT.fullmatch(line)) and (match[2] in "#$" or is_command(match[3])):
        return Prompt(match[1].rstrip(":"), match[3])
    if match := _PARENTHESES.fullmatch(line):
        netns = _NETNS.fullmatch(match[1])
        return Prompt(None if netns else match[1], match[2] or "", netns[1] if netns else "")
    return None


def _named(line: str, hosts: Container[str]) -> Prompt | None:
    """``host# ``, ``host:/path # ``, ``host ~ # ``; a shell without settings gives its own name."""
    if match := _PLACED.fullmatch(line):
        host, mark, command = match[1], "#", match[2].strip()
    elif match := _NAMED.fullmatch(line):
        host, mark, command = match[1], match[2], match[4].strip()
    else:
        return None
    if is_command(command) or (host in hosts and mark in ("#", "$")):
        return Prompt(None if _SHELL.fullmatch(host) else host, command)
    return None


def _anonymous(line: str) -> Prompt | None:
    match = _BARE.fullmatch(line)
    return Prompt(None, match[1]) if match and is_command(match[1]) else None


def is_command(text: str) -> bool:
    """Whether the text begins with a program hopback has heard of."""
    first = text.split(None, 1)[:1]
    return bool(first) and first[0].rsplit("/", 1)[-1].rstrip(";") in PROGRAMS


def read_heading(line: str) -> Prompt | None:
    """A heading that names a host (``=== host1 ===``, ``Host A:``, ``[genesis log]``).

    One that names a command (``=== ip link ===``, ``### brctl show``) is as good as a prompt.
    """
    stripped = line.strip()
    if not 3 <= len(stripped) <= 100:
        return None
    if match := _LOG_HEADING.fullmatch(stripped) or _HOST_HEADING.fullmatch(stripped):
        return Prompt(match[1], "")
    match = _RULED.fullmatch(stripped)
    if match is None:
        return None
    if is_command(match[1]):
        return Prompt(None, match[1])
    whole = stripped.startswith("==") and re.fullmatch(_NAME, match[1])
    return Prompt(match[1], "") if whole else None
