"""``qm config`` and ``pct config``: the interfaces of a guest or container of Proxmox VE.

The names of the host's ends are made of the guest's number (pve-common, PVE/Network.pm:tap_plug):
``tap104i0`` or ``veth104i0``; where the interface has the firewall, those are in a bridge of their
own, and ``fwpr104p0`` is the port of the bridge that is named.
"""

import re

from hopback.snapshot.rows import GuestNic, Row
from hopback.snapshot.table import Problem
from hopback.sources.parse.base import Parsed, Text
from hopback.sources.parse.fields import argument, mac_or_none
from hopback.sources.parse.listing import stray

COMMANDS: tuple[tuple[str, ...], ...] = (
    ("qm", "config"),
    ("pct", "config"),
    ("cat|grep", "/etc/pve/"),
)
_NIC = re.compile(r"\s*net(?P<number>\d{1,2}): (?P<options>\S*=\S*)\s*\Z")
_SETTING = re.compile(r"\s*(?P<key>[a-z][a-z0-9_-]*): (?P<value>.*)")
_SNAPSHOT = re.compile(r"\[[\w:.-]+\]\s*\Z")
_FILE = re.compile(r"(?:.*/)?(?P<id>\d+)\.conf")
_MAC = re.compile(r"[0-9A-Fa-fXx*]{2}(?::[0-9A-Fa-fXx*]{2}){5}")
SHAPE: re.Pattern[str] | None = re.compile(r"net\d{1,2}: (?=\S*\bbridge=)(?=\S*=[0-9A-Fa-f]{2}:)")
FILLS: tuple[type[Row], ...] = ()  # one guest's list says nothing of the others


def parse(text: Text) -> Parsed:
    """The interfaces as they are now: what follows a snapshot's heading was then."""
    number = _guest_number(text.command)
    said: dict[str, str] = {}
    nics: list[tuple[int, str, dict[str, str]]] = []
    problems: list[Problem] = []
    for index, line in text.numbered():
        if _SNAPSHOT.match(line):
            break
        if nic := _NIC.match(line):
            nics.append((index, nic["number"], _options(nic["options"])))
        elif setting := _SETTING.match(line):
            said[setting["key"]] = setting["value"].strip()
        elif not line.startswith("#"):  # a description
            problems += stray(text, index, "qm config")
    guest = said.get("name") or said.get("hostname") or number
    rows = [
        GuestNic(
            cite=text.cite(index),
            netns=text.netns,
            guest=guest,
            mac=mac_or_none(options.get("hwaddr") or options.get("macaddr")),
            target=_port(number, nic, options),
            source=options.get("bridge"),
            source_kind="bridge" if "bridge" in options else None,
            model=options.get("model"),
        )
        for index, nic, options in nics
    ]
    return Parsed(rows, problems)


def _guest_number(command: tuple[str, ...]) -> str | None:
    named = argument(command, "config")
    if named is None:
        named = next((m["id"] for word in command if (m := _FILE.fullmatch(word))), None)
    return named if named and named.isdigit() else None


def _options(text: str) -> dict[str, str]:
    """``virtio=MAC`` is short for ``model=virtio,macaddr=MAC``."""
    options: dict[str, str] = {}
    for word in text.split(","):
        key, _, value = word.partition("=")
        if _MAC.fullmatch(value) and key not in ("hwaddr", "macaddr"):
            options |= {"model": key, "macaddr": value}
        else:
            options[key] = value
    return options


def _port(guest: str | None, nic: str, options: dict[str, str]) -> str | None:
    """The bridge port behind which the guest is."""
    if guest is None:
        return None
    if options.get("firewall") == "1":
        return f"fwpr{guest}p{nic}"
    return f"{'tap' if 'model' in options else 'veth'}{guest}i{nic}"
