"""Command lines as words.

What was typed is reduced to the program that printed the listing: wrappers such as ``sudo`` or
``ip netns exec`` are taken off (they tell the namespace or the container), iproute2's abbreviations
are written out in the order in which iproute2 itself resolves them, and pipes are noted when they
let only some lines through. Options stay among the words.
"""

import re
import shlex
from collections.abc import Sequence
from typing import NamedTuple

_LINE_MAX = 4096  # a longer line is no command that a person typed

_KEEPS_ALL = frozenset({"cat", "less", "more", "most", "tee", "sort", "column", "nl", "ccze", "wc"})
_SEPARATORS = frozenset({";", "&&", "||", "&", ";;"})
_OPERATORS = re.compile(r"[|;&<>]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=.*")
_SHELL_WORDS = frozenset({"do", "then", "else", "{", "("})
_SHELL_ENDS = frozenset({"done", "fi", "}", ")"})

_IP_OBJECTS = (
    ("address", "address"),
    ("addrlabel", "addrlabel"),
    ("maddress", "maddress"),
    ("route", "route"),
    ("rule", "rule"),
    ("neighbor", "neigh"),
    ("neighbour", "neigh"),
    ("ntable", "ntable"),
    ("link", "link"),
    ("l2tp", "l2tp"),
    ("tunnel", "tunnel"),
    ("tuntap", "tuntap"),
    ("token", "token"),
    ("monitor", "monitor"),
    ("xfrm", "xfrm"),
    ("mroute", "mroute"),
    ("netns", "netns"),
    ("netconf", "netconf"),
    ("vrf", "vrf"),
    ("nexthop", "nexthop"),
    ("stats", "stats"),
)
_BRIDGE_OBJECTS = tuple(
    (name, name) for name in ("link", "fdb", "mdb", "mst", "vlan", "vni", "monitor")
)
OBJECTS = {"ip": _IP_OBJECTS, "bridge": _BRIDGE_OBJECTS}
_SHOW = re.compile(r"s|sh|sho|show|l|ls|li|lis|list|lst")

# Options that take the next word as their value, by program.
_VALUED: dict[str, frozenset[str]] = {
    "sudo": frozenset({"-u", "-g", "-h", "-p", "-C"}),
    "watch": frozenset({"-n", "--interval"}),
    "timeout": frozenset({"-s", "-k"}),
    "nice": frozenset({"-n"}),
    "ip": frozenset({"-n", "-netns", "-f", "-family", "-l", "-loops", "-rc", "-rcvbuf", "-b"}),
    "bridge": frozenset({"-n", "-netns", "-b"}),
    "virsh": frozenset({"-c", "--connect"}),
    "docker": frozenset({"-u", "-w", "-e", "--user", "--workdir", "--env"}),
    "kubectl": frozenset({"-n", "--namespace", "-c", "--container", "--context", "--kubeconfig"}),
    "ssh": frozenset({"-p", "-i", "-l", "-o", "-J", "-F"}),
    "nsenter": frozenset({"-t", "--target"}),
}
_PLAIN_WRAPPERS = frozenset({"sudo", "doas", "env", "time", "nohup", "watch", "nice", "stdbuf"})
_CONTAINER = {
    "docker": ("exec",),
    "podman": ("exec",),
    "nerdctl": ("exec",),
    "crictl": ("exec",),
    "lxc": ("exec",),
    "incus": ("exec",),
    "kubectl": ("exec",),
    "oc": ("exec",),
}


class Command(NamedTuple):
    """One command of a command line.

    ``words`` start with the program, options included, abbreviations written out. ``netns`` is the
    namespace it was run in ("" is the shell's own), ``host`` the container or machine it was run
    in if not the shell's. ``filtered`` says that a pipe let only some lines through, ``into`` where
    its output went instead of the terminal.
    """

    words: tuple[str, ...]
    netns: str = ""
    host: str | None = None
    filtered: bool = False
    into: str | None = None

    @property
    def plain(self) -> tuple[str, ...]:
        """The words without the options."""
        return without_options(self.words)

    def option(self, *names: str) -> bool:
        """Whether one of the options was given (``-d`` is also found in ``-ds``)."""
        return any(
            word in names or (_BUNDLE.fullmatch(word) and any(n[1:] in word for n in names))
            for word in self.words
        )


_BUNDLE = re.compile(r"-[A-Za-z]{2,4}")


def without_options(words: Sequence[str]) -> tuple[str, ...]:
    """The words that are neither options nor values of options that stand before the object."""
    valued = _VALUED.get(words[0], frozenset()) if words else frozenset()
    kept: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-") and word != "-":
            skip = word in valued
        else:
            kept.append(word)
    return tuple(kept)


def parse_commands(line: str) -> tuple[Command, ...]:
    """The commands of a line, in order; none if it holds none. Never raises."""
    tokens = _tokens(line[:_LINE_MAX])
    commands: list[Command] = []
    current: list[str] = []
    for token in [*tokens, ";"]:
        if token in _SEPARATORS:
            command = _pipeline(current)
            if command is not None:
                commands.append(command)
            current = []
        else:
            current.append(token)
    return tuple(commands)


def _tokens(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|;&<>")
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        return list(lexer)
    except ValueError:  # an unclosed quote: people do not always paste all of it
        return line.replace("|", " | ").replace(";", " ; ").split()


def _pipeline(tokens: list[str]) -> Command | None:
    stages: list[list[str]] = [[]]
    into = None
    rest = iter(tokens)
    for word in rest:
        if word in ("|", "|&"):
            stages.append([])
        elif _OPERATORS.fullmatch(word):
            target = next(rest, "")
            numbered = stages[-1][-1:] in (["1"], ["2"])
            if word == ">&" or target == "/dev/null":
                del stages[-1][len(stages[-1]) - numbered :]
            elif ">" in word:
                into = target
        else:
            stages[-1].append(word)
    filtered = any(stage[:1] and _base(stage[0]) not in _KEEPS_ALL for stage in stages[1:])
    command = unwrap(stages[0])
    if command is None:
        return None
    return command._replace(filtered=filtered or command.filtered, into=into)


def _base(word: str) -> str:
    return word.rsplit("/", 1)[-1] or word


def unwrap(words: list[str], netns: str = "", host: str | None = None) -> Command | None:
    """The command within its wrappers; None if none is left, or more than one."""
    while words:
        program = _base(words[0])
        if program in _SHELL_WORDS or _ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        elif " " in words[0]:  # what watch or ssh were given as one word
            words = [*words[0].split(), *words[1:]]
        elif program in _SHELL_ENDS:
            return None
        elif program in _PLAIN_WRAPPERS and len(words) > 1:
            words = _after_options(program, words[1:])
        elif program == "timeout":
            words = _after_options(program, words[1:])[1:]
        elif program in ("sh", "bash", "vtysh") and "-c" in words[:-1]:
            inner = parse_commands(words[words.index("-c") + 1])
            if len(inner) != 1:
                return None
            return inner[0]._replace(netns=inner[0].netns or netns, host=inner[0].host or host)
        elif program == "nsenter":
            netns, words = _nsenter(words[1:])
        elif words[1:2] == ["exec"] and program in _CONTAINER:
            host, words = _exec(program, words[2:])
        elif program == "ssh" and len(rest := _after_options("ssh", words[1:])) > 1:
            host, words = rest[0].rpartition("@")[2], rest[1:]
        elif program == "ip" and without_options(["ip", *words[1:]])[1:3] == ("netns", "exec"):
            at = words.index("exec")
            netns, words = (words[at + 1 : at + 2] or [""])[0], words[at + 2 :]
        else:
            return _plain(program, words, netns, host)
    return None


def _after_options(program: str, words: list[str]) -> list[str]:
    valued = _VALUED.get(program, frozenset())
    while words and (words[0].startswith("-") or _ASSIGNMENT.fullmatch(words[0])):
        words = words[2:] if words[0] in valued else words[1:]
    return words


def _nsenter(words: list[str]) -> tuple[str, list[str]]:
    netns = ""
    while words and words[0].startswith("-"):
        if match := re.fullmatch(r"(?:--net=|-n=?)(\S+)", words[0]):
            netns = _base(match[1])
        if words[0] in ("-t", "--target") and len(words) > 1:
            netns = netns or f"pid {words[1]}"
            words = words[1:]
        elif match := re.fullmatch(r"(?:--target=|-t)(\d+)", words[0]):
            netns = netns or f"pid {match[1]}"
        words = words[1:]
    return netns, words


def _exec(program: str, words: list[str]) -> tuple[str, list[str]]:
    """The container and what ran in it; kubectl's own options may follow the pod's name."""
    words = _after_options(program if program in _VALUED else "docker", words)
    name, words = (words[0] if words else ""), words[1:]
    if "--" in words:
        return name, words[words.index("--") + 1 :]
    return name, _after_options(program, words)


def _plain(program: str, words: list[str], netns: str, host: str | None) -> Command:
    if program in OBJECTS:
        netns, words = _take_netns(words, netns)
        words = _expand(program, words)
    return Command((program, *words[1:]), netns, host)


def _take_netns(words: list[str], netns: str) -> tuple[str, list[str]]:
    for at, word in enumerate(words):
        if word in ("-n", "-net", "-netns", "--netns") and at + 1 < len(words):
            return words[at + 1], words[:at] + words[at + 2 :]
    return netns, words


def _expand(program: str, words: list[str]) -> list[str]:
    """Write out ``ip a s`` as iproute2 resolves it: the first object of its list that fits."""
    expanded = [program]
    place = 0
    skip = False
    for word in words[1:]:
        if skip or place > 1 or word.startswith("-"):
            skip = not skip and word in _VALUED[program]
        elif place == 0:
            word = next((full for name, full in OBJECTS[program] if name.startswith(word)), word)
            place = 1
        else:
            word = "show" if expanded[-1] != "monitor" and _SHOW.fullmatch(word) else word
            place = 2
        expanded.append(word)
    return expanded


# Programs, and verbs of some, whose output says nothing of the tables hopback knows.
_SILENT_NAMES = """cd ls ll echo printf date uptime whoami id export source sleep clear history exit
    vim vi nano modprobe modinfo lsmod lspci systemctl service dhclient udhcpc ifup ifdown free df
    top ps test which hostname tee mkdir rm cp mv apt yum dnf reboot curl wget telnet nc ssh perf
    sed for while if nstat netstat ss version README"""
_SILENT = frozenset(_SILENT_NAMES.split())
_SILENT_FILES = frozenset(
    f"/proc/{name}"
    for name in (
        *("net/dev", "net/softnet_stat", "interrupts", "softirqs", "cpuinfo", "meminfo"),
        *("loadavg", "uptime", "modules", "cmdline", "mounts", "stat"),
    )
)
_CONTAINERS = frozenset({"ps", "images", "version"})
_SILENT_VERBS = {
    "virsh": frozenset({"version", "domifstat", "domblklist", "net-list"}),
    **dict.fromkeys(("docker", "podman", "nerdctl"), _CONTAINERS),
}


def says_nothing(command: Command) -> bool:
    """Whether a command's output may be passed over without loss."""
    program, verb = (*command.plain, "", "")[:2]
    if program in _SILENT_VERBS:
        return verb in _SILENT_VERBS[program]
    if program == "cat":
        return verb != "" and set(command.plain[1:]) <= _SILENT_FILES
    return program in _SILENT or command.words[-1] in ("-V", "--version")
