"""A sosreport, unpacked or not: the files of ``sos_commands`` and a few of /proc and /etc.

sos names a file after its command, blanks as ``_`` and slashes as ``.``; everything that a parser
knows by that name is read, and nothing else.
"""

import re
from collections.abc import Iterable

from hopback.snapshot.model import Builder, Snapshot
from hopback.sources.directory import read_content, read_named
from hopback.sources.lines import Refused
from hopback.sources.parse.commands import Command
from hopback.sources.parse.file_names import parse_file_name
from hopback.sources.parse.registry import for_command
from hopback.sources.tree import Tree

_ROOT = re.compile(r"(?:[^/]+/)?(?=sos_commands/)")
_NAMESPACE = re.compile(r"sos_commands/networking/namespaces/([^/]+)/(.+)")
_NETNS_EXEC = re.compile(
    r"ip_netns_exec_(.+?)_((?:ip|bridge|ss|n(?:et)?stat|iptables|ipvsadm|nft|sysctl)_.+)"
)
_COPIED = re.compile(
    r"proc/net/(?:bonding/[^/]+|vlan/config|ip_vs(?:_conn|_stats)?|snmp6?|netstat)"
    r"|etc/libvirt/nwfilter/[^/]+\.xml|etc/keepalived/keepalived\.conf"
)
_HOSTNAMES = ("hostname", "sos_commands/host/hostname", "sos_commands/general/hostname")


def is_sosreport(paths: Iterable[str]) -> bool:
    """Whether the files are those of a sosreport."""
    return any(_ROOT.match(path) for path in paths)


def wanted(path: str) -> bool:
    """Whether a file of a sosreport (path from its root) is read."""
    return path in _HOSTNAMES or command_of(path) is not None


def command_of(path: str) -> Command | None:
    """The command whose output a file holds, if some parser knows it."""
    if _COPIED.fullmatch(path):
        return Command(("cat", f"/{path}"))
    if not path.startswith("sos_commands/"):
        return None
    netns, name = "", path.rsplit("/", 1)[-1]
    if match := _NAMESPACE.fullmatch(path):
        netns, name = match[1], match[2].rsplit("/", 1)[-1]
    if match := _NETNS_EXEC.fullmatch(name):
        netns, name = match[1], match[2]
    command = parse_file_name(name)
    return command._replace(netns=netns or command.netns) if for_command(command.words) else None


def root_of(paths: Iterable[str]) -> str:
    """The directory that holds ``sos_commands``, with its slash; "" if it is the top."""
    return next((match[0] for path in paths if (match := _ROOT.match(path))), "")


def read_sosreport(tree: Tree) -> tuple[Snapshot, ...]:
    """The host of a sosreport, named by its ``hostname`` file or else by the tree."""
    root = root_of(tree.files)
    builder = Builder(root.rstrip("/") or tree.label)
    builder.problems.extend(tree.problems)
    for name in _HOSTNAMES:
        if content := tree.files.get(root + name):
            label = read_content(builder, name, content).decode(errors="replace").strip()
            if label and label.isprintable() and len(label) < 256:
                builder.host = label
                break
    for path, content in tree.files.items():
        name = path.removeprefix(root)
        command = command_of(name)
        if command is not None and (data := read_content(builder, name, content)).strip():
            try:
                read_named(builder, name, data, command)
            except Refused as error:
                builder.problems.append(error.problem)
    return (builder.build(),)
