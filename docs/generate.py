"""Writes the pages of docs/ that say what the code says, and the sessions that README.md shows.

``pages`` and ``with_sessions`` are pure; ``main`` writes what they give. The tests compare the
files with them, so a page that is out of date is a failing test, and ``make docs`` mends it.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import msgspec

from hopback.checks.policy import POLICY
from hopback.cli.main import main as program
from hopback.datapath.rules import RULES
from hopback.render.fix_json_v1 import FixesV1
from hopback.render.json_v1 import CheckV1
from hopback.render.lab_json_v1 import LabV1
from hopback.render.probe_json_v1 import ProbeV1
from hopback.render.ring_json_v1 import RingV1
from hopback.render.trace_json_v1 import TraceV1

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
FIDELITY = ROOT / "docs" / "fidelity.json"

_SESSION = re.compile(r"(?<=```console\n)(\$ (hopback [^\n]*)\n)(.*?)(?=```\n)", re.DOTALL)
_AREAS = {
    "bridge": "Rules of the bridge. The test against the running kernel has to reach every one.",
    "vlan": "VLAN filtering of the bridge. Compared with a kernel that has it, frame for frame.",
    "bond": "Bonds of every mode. Compared with a kernel that has them, frame for frame.",
    "snooping": "Multicast snooping. Compared with the running kernel, frame for frame.",
    "suppress": "Neighbour suppression. Compared with the running kernel, frame for frame.",
    "port": "Ports beside their plain flags: size, backup, authorisation; a promiscuous bridge.",
    "macvlan": "macvlan and macvtap. Compared with the running kernel, frame for frame.",
    "vxlan": "VXLAN devices. Compared with the running kernel, frame for frame.",
    "netfilter": "Packet filters and NAT. Compared with the running kernel, frame for frame.",
    "dad": "Neighbour discovery, duplicate detection and ARP of a station. Compared with the"
    " running kernel, frame for frame and address for address.",
    "device": "Rules of single devices.",
    "time": "What time does to a bridge's table. Tried on the running kernel.",
    "filter": "What packet filters do where the kernel calls them.",
    "bridge-nf": "br_netfilter: bridged packets meet the filters of IP and ARP.",
    "ip": "Routing and forwarding of IP. Compared with the running kernel, packet for packet.",
    "icmp": "What a host tells the sender of a packet by ICMP. Compared with the running kernel.",
    "ipvs": "IPVS: what a director does with what is for its virtual services.",
    "tunnel": "Tunnels: packets inside packets, and where the outer ones are routed. Compared with"
    " a kernel that has them, frame for frame.",
    "vrf": "VRFs that lead out by each other's devices. Tried in a user-mode kernel.",
    "underlay": "Where the outer packets of a VXLAN device go. Tried on the running kernel.",
    "wireguard": "WireGuard: assumed to do what its source says, no kernel was asked.",
    "assumed": "What no table tells: it is assumed, and the output says so.",
}
_KERNELS = {"host": "running kernel", "uml": "user-mode kernel"}
_FIDELITY_HEAD = ("kernel", "area", "cases", "frames", "mismatches", "mutants caught", "date")
_FIDELITY = """\
Random networks get random frames, in a real kernel and in the model. Every port's frames (bytes and
order), every frame that went up the host's stack with its packet type, and the tables afterwards
have to be the same. A *mismatch* is a case where they are not. A *mutant* is a model in which one
[rule](rules.md) does the opposite: the comparison has to notice it, for every rule of the area.

`make fidelity SECONDS=30 SEED=7 KERNEL=host AREA=all` does it anew, as root; `KERNEL=uml` needs no
root. A case that differs is shrunk and printed as a test. `make fidelity-release` made this table.

"""


def pages() -> Mapping[str, str]:
    """The text of every generated page, by its file name in docs/."""
    return {
        "checks.md": checks_page(),
        "rules.md": rules_page(),
        "cli.md": cli_page(program),
        "json.md": json_page(),
        "fidelity.md": fidelity_page(json.loads(FIDELITY.read_text(encoding="utf-8"))),
    }


def checks_page() -> str:
    """All checks with their groups and summaries."""
    rows = (
        (f"[{name}](../src/hopback/docs/{name}.md)", policy.group, policy.says)
        for name, policy in POLICY.items()
    )
    intro = "`hopback explain CHECK` prints the page of a check.\n"
    return _page("Checks", intro + "\n" + _table(("check", "group", "says"), rows))


def rules_page() -> str:
    """The rules of the datapath model, and the kernel functions they stand for."""
    parts = ["Each hop of a trace names the rule that decided it. Sources as in Linux 6.12.\n"]
    for area in dict.fromkeys(rule.area for rule in RULES.values()):
        rows = (
            (f"`{name}`", f"`{rule.function}`" if rule.function else "", rule.text)
            for name, rule in RULES.items()
            if rule.area == area
        )
        table = _table(("rule", "kernel", "what it decides"), rows)
        parts.append(f"## {area}\n\n{_AREAS[area]}\n\n{table}")
    return _page("Rules of the datapath", "\n".join(parts))


def cli_page(command: click.Group) -> str:
    """Every verb with its arguments and options."""
    context = click.Context(command, info_name="hopback", **command.context_settings)
    parts = [f"{_plain(command.help)}\n\n{_plain(command.epilog)}\n"]
    for name in command.list_commands(context):
        verb = command.get_command(context, name)
        if verb is not None:
            usage = " ".join(verb.collect_usage_pieces(click.Context(verb, context)))
            parts.append(f"## hopback {name}\n\n`hopback {name} {usage}`\n\n{_plain(verb.help)}\n")
            if options := list(_options(verb)):
                parts.append(_table(("option", "what it does"), options))
    return _page("The command line", "\n".join(parts))


def json_page() -> str:
    """JSON schemas (2020-12) of what ``--json`` prints."""
    parts = [
        "Version 1 may gain fields; none goes or changes its meaning. What `details` holds is"
        " documented with each [check](checks.md).\n"
    ]
    documents = {
        "check": CheckV1,
        "trace --dhcp": TraceV1,
        "trace --arp": ProbeV1,
        "fix": FixesV1,
        "lab": LabV1,
        "lab (of directors)": RingV1,
    }
    for verb, document in documents.items():
        schema = json.dumps(msgspec.json.schema(document), indent=2, ensure_ascii=False)
        parts.append(f"## hopback {verb} --json\n\n```json\n{schema}\n```\n")
    return _page("JSON", "\n".join(parts))


def fidelity_page(runs: Sequence[Mapping[str, Any]]) -> str:
    """How far the model was held against real kernels; ``runs`` as in fidelity.json."""
    rows = (
        (
            f"{run['release']} ({_KERNELS[run['kernel']]})",
            run["area"],
            f"{run['cases']:,}",
            f"{run['frames']:,}",
            f"{run['mismatches']:,}",
            f"{run['caught']}/{run['mutants']}",
            run["date"],
        )
        for run in runs
    )
    parts = [_FIDELITY + _table(_FIDELITY_HEAD, rows)]
    for area, gaps in {run["area"]: run["not_covered"] for run in runs}.items():
        listed = "".join(f"- {gap}\n" for gap in gaps)
        parts.append(f"## Not covered: {area}\n\n{listed}")
    compared = {run["area"] for run in runs} | {"assumed", "time"}
    if left := sorted({rule.area for rule in RULES.values()} - compared):
        parts.append(f"## No run recorded\n\nFor the rules of {', '.join(left)}.\n")
    return _page("Fidelity", "\n".join(parts))


def with_sessions(text: str, run: Callable[[str], str]) -> str:
    """``text`` with each console block that starts with ``$ hopback`` run anew."""
    return _SESSION.sub(lambda found: found[1] + run(found[2]), text)


def run_session(command: str) -> str:
    """What the program prints on standard output in the root of the project, 80 columns wide."""
    environment = {k: v for k, v in os.environ.items() if k != "HOPBACK_DEBUG"}
    done = subprocess.run(
        [sys.executable, "-m", *shlex.split(command)],
        cwd=ROOT,
        env=environment | {"PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    return done.stdout


def main() -> None:
    """Write the pages and the sessions."""
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")
    text = README.read_text(encoding="utf-8")
    README.write_text(with_sessions(text, run_session), encoding="utf-8")


def _page(title: str, body: str) -> str:
    return f"# {title}\n\n<!-- Written by `make docs`. Edit the code, not this page. -->\n\n{body}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _plain(text: str | None) -> str:
    return "\n\n".join(" ".join(part.split()) for part in (text or "").split("\n\n"))


def _options(verb: click.Command) -> Iterator[tuple[str, str]]:
    for option in verb.params:
        if isinstance(option, click.Option):
            said = _plain(option.help)
            if option.show_default:
                said += f" Default: {option.default}."
            # A bar would end the cell of the table.
            names = f"`{', '.join(option.opts)}{_value(option)}`".replace("|", "\\|")
            yield names, said.replace("|", "\\|")


def _value(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return f" {'|'.join(option.type.choices)}"
    return f" {option.metavar or option.type.name.upper()}"


if __name__ == "__main__":
    main()
