"""A rule of iptables or ip6tables, from its options to its steps."""

from collections.abc import Sequence
from types import MappingProxyType

from hopback.snapshot.rows import Opaque, Step, Unsure
from hopback.sources.parse.xt.base import About, Reader
from hopback.sources.parse.xt.matches import BASIC, MATCHES, UNSURE, value_of
from hopback.sources.parse.xt.names import TRANSPORTS
from hopback.sources.parse.xt.targets import Where, target_steps
from hopback.sources.parse.xt.words import Option, said

LONG: MappingProxyType[str, str] = MappingProxyType(
    {
        "--source": "-s",
        "--src": "-s",
        "--destination": "-d",
        "--dst": "-d",
        "--in-interface": "-i",
        "--out-interface": "-o",
        "--protocol": "-p",
        "--proto": "-p",
        "--fragment": "-f",
        "--match": "-m",
        "--jump": "-j",
        "--goto": "-g",
    }
)
"""Long names of the options that every rule may have."""

_LIMITS = {"--limit-iface-in": " . iif", "--limit-iface-out": " . oif"}
_PROTOCOL_MODULES = {**TRANSPORTS, 1: "icmp", 58: "icmp6"}


class _Draft:
    """A rule being read: what surely matches or not comes first, so that little stays open."""

    def __init__(self, about: About) -> None:
        self.target: Option | None = None
        self.rest: list[Option] = []
        self._about = about
        self._module = ""
        self._targeted = False  # whether options are the target's
        self._whole: list[Option] | None = None  # of a match that is kept as it stands
        self._plain: list[Step] = []
        self._unsure: list[list[Option]] = []
        self._unknown: list[list[Option]] = []

    def take(self, option: Option) -> None:
        """An option in the order in which it stands."""
        name = LONG.get(option.name, option.name)
        if name == "-m":
            self._begin(option)
        elif name in ("-j", "-g"):
            self.target, self._targeted = option, True
        elif read := BASIC.get(name):
            self._read(read, option)
        elif name == "-c" and len(option.values) == 2:
            return  # its counters
        elif self._targeted:
            self.rest.append(option)
        elif self._whole is not None:
            self._whole.append(option)
        elif read := MATCHES.get(self._implied(), {}).get(name):
            self._read(read, option)
        else:
            self._unknown.append([option])

    def matches(self) -> tuple[Step, ...]:
        """What it asks for."""
        unsure = (Unsure(said(found)) for found in self._unsure)
        unknown = (Opaque(said(found)) for found in self._unknown)
        return (*self._plain, *unsure, *unknown)

    def _begin(self, option: Option) -> None:
        self._module = " ".join(option.values)
        self._targeted = False
        self._whole = None
        if self._module not in MATCHES:
            self._whole = [option]
            (self._unsure if self._module in UNSURE else self._unknown).append(self._whole)

    def _implied(self) -> str:
        """``-p tcp`` alone brings the options of ``-m tcp``."""
        return self._module or _PROTOCOL_MODULES.get(self._about.protocol or 0, "")

    def _read(self, read: Reader, option: Option) -> None:
        try:
            steps = read(option, self._about)
        except ValueError:
            self._unknown.append([option])
            return
        self._plain += steps
        if LONG.get(option.name, option.name) == "-p" and steps:
            number = value_of(steps[0])
            self._about = self._about._replace(protocol=number if isinstance(number, int) else None)


def ip_steps(options: Sequence[Option], six: bool, chain: str) -> tuple[Step, ...]:
    """The steps of a rule without its ``-A CHAIN``. Never raises: what is not known is opaque."""
    limits = [_LIMITS[option.name] for option in options if option.name in _LIMITS]
    draft = _Draft(About(six, limit="".join(limits[:1])))
    for option in options:
        draft.take(option)
    if draft.target is None:
        return draft.matches()
    return (*draft.matches(), *target_steps(draft.target, draft.rest, Where(six, chain)))
