"""File names that were made of commands, as those commands."""

import re

from hopback.sources.parse.commands import OBJECTS, Command, unwrap

_SUFFIX = re.compile(r"\.(txt|out|log|json|xml|stdout)$")
_PROC = re.compile(r"(?:cat[-_])?[._-]?(proc|sys)[._-](.*)")
_PROC_NET = re.compile(r"net[._-](bonding|vlan)[._-](.+)")
# virsh's verbs hold dashes, and so do the names of what they show.
_VIRSH = re.compile(r"virsh-((?:nwfilter-binding-|nwfilter-|net-|iface-)?[a-z]+)(?:-(.+))?")
_BRCTL = re.compile(r"brctl-([a-z]+)-(.+)")
_XTABLES = re.compile(r"((?:ip6?|eb|arp)tables(?:-(?:nft|legacy))?(?:-save)?)(?:-(.+))?")
_LETTERS = re.compile(r"[A-Za-z46]|L[a-z]{1,2}|Sn|[nvx]{1,3}L|az")
_IPROUTE_LETTERS = re.compile(r"[dsjoph46tN]|br")


def parse_file_name(name: str) -> Command:
    """The command whose output a file holds, as far as its name tells it.

    ``ip-d-s-j-link.json`` and ``ip_-d_-s_link`` are both ``ip -d -s link``; ``proc-net-bonding-b0``
    is ``cat /proc/net/bonding/b0``. A script is a file that was copied. A name that tells nothing
    gives words no parser knows.
    """
    if name.endswith(".sh"):
        return Command(("cat", name))
    stem = _SUFFIX.sub("", name)
    if match := _PROC.fullmatch(stem):
        return Command(("cat", _kernel_path(match[1], match[2])))
    if "_" in stem and "-" not in stem.split("_", 1)[0]:
        words = [word for word in stem.split("_") if word]
    else:
        words = _dashed(stem)
    return unwrap(words) or Command((stem,))


def _kernel_path(root: str, rest: str) -> str:
    if match := _PROC_NET.fullmatch(rest):
        return f"/{root}/net/{match[1]}/{match[2]}"
    return f"/{root}/" + re.sub(r"[.-]", "/", rest)


def _dashed(stem: str) -> list[str]:
    if match := _VIRSH.fullmatch(stem) or _BRCTL.fullmatch(stem):
        return [stem.split("-", 1)[0], *(part for part in match.groups() if part)]
    if match := _XTABLES.fullmatch(stem):
        program, rest = match[1], (match[2] or "").split("-")
    else:
        program, *rest = stem.split("-")
    letters = _IPROUTE_LETTERS if program in OBJECTS else _LETTERS
    return [program, *(f"-{part}" if letters.fullmatch(part) else part for part in rest if part)]
