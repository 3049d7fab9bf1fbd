"""What ``iptables -L`` prints of matches and targets, as the options that iptables-save prints.

Each extension has a ``print`` function for it (iptables 1.4 to 1.8, extensions/libxt_*.c).
"""

import re
from collections.abc import Iterator
from types import MappingProxyType

from hopback.sources.parse.xt.targets import HARMLESS
from hopback.sources.parse.xt.words import Option

_NOT = r"(?P<n>! ?)?"

# The match, its option (``{o}``: as printed), and how it is printed: n is a negation, v and w are
# values. Without an option, only what is printed is known to be of that match.
_PRINTED: tuple[tuple[str, str, str], ...] = (
    ("", "", r"(?:tcp|udp|udplite|sctp|dccp|ADDRTYPE match|PHYSDEV match)(?!\S)"),
    ("tcp", "--{o}ort", rf"(?P<o>[sd]p)ts?:{_NOT}(?P<v>\S+)"),
    ("tcp", "--tcp-flags", rf"flags:{_NOT}(?P<v>[^/\s]+)/(?P<w>\S+)"),
    ("multiport", "--{o}", rf"multiport (?P<o>[sd]?ports)\s+{_NOT}(?P<v>\S+)"),
    ("conntrack", "--{o}", r"(?P<n>! )?(?P<o>ct(?:state|status|dir|proto)) (?P<v>\S+)"),
    ("conntrack", "--{o}", r"(?P<n>! )?(?P<o>ct(?:orig|repl)(?:src|dst)(?:port)?) (?P<v>\S+)"),
    ("state", "--state", r"(?P<n>! )?state (?P<v>\S+)"),
    ("mac", "--mac-source", rf"MAC {_NOT}(?P<v>\S+)"),
    ("mark", "--mark", rf"mark match {_NOT}(?P<v>\S+)"),
    ("connmark", "--mark", rf"(?:connmark|CONNMARK) match\s+{_NOT}(?P<v>\S+)"),
    ("addrtype", "--{o}", rf"(?P<o>src-type|dst-type) {_NOT}(?P<v>\S+)"),
    ("addrtype", "--limit-iface-{o}", r"limit-(?P<o>in|out)(?!\S)"),
    ("physdev", "{o}", r"(?P<n>! )?(?P<o>--physdev-is-(?:in|out|bridged))"),
    ("physdev", "{o}", r"(?P<n>! )?(?P<o>--physdev-(?:in|out)) (?P<v>\S+)"),
    ("pkttype", "--pkt-type", r"PKTTYPE (?P<n>!)?= (?P<v>\S+)"),
    ("set", "--match-set", r"(?P<n>! )?match-set (?P<v>\S+) (?P<w>\S+)"),
    ("comment", "", r"/\*(?!.*\*/.*\*/).*?\*/"),
    ("length", "--length", rf"length {_NOT}(?P<v>[\d:]+)"),
    ("iprange", "--src-range", rf"source IP range {_NOT}(?P<v>\S+)"),
    ("iprange", "--dst-range", rf"destination IP range {_NOT}(?P<v>\S+)"),
    ("ttl", "--ttl-eq", r"TTL match TTL (?:(?P<n>!)|=)= (?P<v>\d+)"),
    ("ttl", "--ttl-lt", r"TTL match TTL < (?P<v>\d+)"),
    ("ttl", "--ttl-gt", r"TTL match TTL > (?P<v>\d+)"),
    ("hl", "--hl-eq", r"HL match HL (?:(?P<n>!)|=)= (?P<v>\d+)"),
    ("hl", "--hl-lt", r"HL match HL < (?P<v>\d+)"),
    ("hl", "--hl-gt", r"HL match HL > (?P<v>\d+)"),
    ("dscp", "--dscp", rf"DSCP match {_NOT}(?P<v>\S+)"),
    ("tos", "--tos", rf"tos match ?{_NOT}(?P<v>0x\S+)"),
    ("esp", "--espspi", rf"esp spis?:{_NOT}(?P<v>\S+)"),
    ("ah", "--ahspi", rf"ah spis?:{_NOT}(?P<v>\S+)"),
    ("icmp", "--icmp-type", rf"icmp ?{_NOT}type (?P<v>\d+)(?: code (?P<c>\d+))?(?! code)"),
    ("icmp", "--icmp-type", rf"icmp {_NOT}(?P<v>[A-Za-z-]+)"),
    ("icmp6", "--icmpv6-type", rf"ipv6-icmp ?{_NOT}type (?P<v>\d+)(?: code (?P<c>\d+))?(?! code)"),
    ("icmp6", "--icmpv6-type", rf"ipv6-icmp {_NOT}(?P<v>[A-Za-z-]+)"),
    ("limit", "", r"limit: (?:avg|above|up to) \S+(?: burst \d+)?(?: mode \S+)?"
     r"(?: (?:htable-\w+ \d+|(?:src|dst)mask \d+))*"),
    ("statistic", "", r"statistic mode (?:random|nth)(?: !)?"
     r"(?: probability \S+| every \d+| packet \d+)*"),
    ("recent", "", r"(?:! )?recent: \S+(?: (?:seconds|hit_count|name|side|mask): \S+| TTL-Match)*"),
    ("connlimit", "", r"#conn \S+ !?[<>]=? \d+"),
    ("quota", "", r"quota: \d+ bytes"),
    ("connbytes", "", r"(?:! )?connbytes \S+ connbytes mode \S+ connbytes direction \S+"),
    ("owner", "", r"(?:! )?owner (?:UID|GID|socket) (?:match \S+|exists)"),
    ("rpfilter", "", r"rpfilter(?: (?:loose|validmark|accept-local|invert))*"),
    ("socket", "", r"socket(?: --(?:transparent|nowildcard|restore-skmark))*(?!\S)"),
    ("helper", "", r"(?:! )?helper match (?:! ?)?\"[^\"]*\""),
    ("cpu", "", r"cpu !? ?\d+"),
    ("devgroup", "", r"(?:! )?(?:src|dst)-group \S+"),
    ("realm", "", r"realm !? ?\S+"),
)  # fmt: skip
_MATCHES = tuple((module, option, re.compile(text)) for module, option, text in _PRINTED)

_FLAGS = r"(?: ?\b(?:random|random-fully|persistent))*"
_TARGETS: MappingProxyType[str, tuple[tuple[str, re.Pattern[str]], ...]] = MappingProxyType(
    {
        name: tuple((option, re.compile(text)) for option, text in forms)
        for name, forms in {
            "DNAT": (("--to-destination", rf"to:(?P<v>\S+){_FLAGS}"),),
            "SNAT": (("--to-source", rf"to:(?P<v>\S+){_FLAGS}"),),
            "NETMAP": (("--to", r"(?:to:)?(?P<v>\S+)"),),
            "REDIRECT": (("--to-ports", rf"redir ports (?P<v>\S+){_FLAGS}"), ("", _FLAGS)),
            "MASQUERADE": (("--to-ports", rf"masq ports: (?P<v>\S+){_FLAGS}"), ("", _FLAGS)),
            "MARK": (
                ("--set-mark", r"MARK set (?P<v>\S+)"),
                ("--set-xmark", r"MARK xset (?P<v>\S+)"),
                ("--{o}-mark", r"MARK (?P<o>or|and|xor) (?P<v>\S+)"),
            ),
            "CONNMARK": (
                ("--set-mark", r"CONNMARK set (?P<v>\S+)"),
                ("--set-xmark", r"CONNMARK xset (?P<v>\S+)"),
                ("--{o}-mark", r"CONNMARK (?P<o>or|and|xor) (?P<v>\S+)"),
                ("--{o}-mark", r"CONNMARK (?P<o>save|restore)"),
            ),
            "CT": (("--notrack", r"CT notrack|NOTRACK"),),
            "DSCP": (("--set-dscp", r"DSCP set (?P<v>\S+)"),),
            "TOS": (("--set-tos", r"TOS set (?P<v>0x\S+)"),),
            "TTL": (("--ttl-set", r"TTL set to (?P<v>\d+)"),),
            "HL": (("--hl-set", r"HL set to (?P<v>\d+)"),),
            "REJECT": (("--reject-with", r"reject-with (?P<v>\S+)"),),
            "NFQUEUE": (("--queue-num", r"NFQUEUE num (?P<v>\d+)(?: \S+)*"),
                        ("--queue-balance", r"NFQUEUE balance (?P<v>\S+)(?: \S+)*")),
        }.items()
    }
)  # fmt: skip
_HARMLESS = re.compile(
    r"(?:LOG|ULOG|NFLOG|AUDIT|CHECKSUM|TCPMSS|CLASSIFY|TCPOPTSTRIP|SECMARK|CONNSECMARK|IDLETIMER"
    r"|LED|nflog-\w+|name|timeout:|trigger-id:|led-trigger-id:)(?!\S)"
)
_MASKS = re.compile(
    r" mask (?P<both>\S+)| nfmask (?P<nf>\S+) ctmask ~?(?P<ct>\S+)"
    r"| ctmask (?P<ct2>\S+) nfmask ~?(?P<nf2>\S+)"
)


def options_of(text: str, target: str) -> list[Option]:
    """The matches and the target of a rule; what is not known is an option of that text."""
    goto = text.startswith("[goto]")
    rest = text.removeprefix("[goto]").strip()
    found: list[Option] = []
    while rest:
        options, rest_after = _one(rest)
        if rest_after == rest:
            break
        found += options
        rest = rest_after
    jump = [Option("-g" if goto else "-j", (target,))] if target else []
    told = _target(target, rest) if rest else []
    if told is None:
        return [*found, Option("-m", (rest,)), *jump]
    return [*found, *jump, *told]


def _one(text: str) -> tuple[list[Option], str]:
    """The first match in ``text``, and what is behind it; all of it if none is known."""
    for module, option, pattern in _MATCHES:
        found = pattern.match(text)
        if found is not None and text[found.end() : found.end() + 1] in ("", " "):
            return list(_match_options(module, option, found)), text[found.end() :].strip()
    return [], text


def _match_options(module: str, option: str, found: re.Match[str]) -> Iterator[Option]:
    if module:
        yield Option("-m", (module,))
    if option:
        yield _filled(option, found)
    elif module not in ("", "comment"):
        yield Option(found[0])


def _filled(option: str, found: re.Match[str]) -> Option:
    groups = found.groupdict()
    if code := groups.get("c"):
        groups["v"] = f"{groups['v']}/{code}"
    values = tuple(groups[name] for name in ("v", "w") if groups.get(name))
    return Option(option.format(o=groups.get("o")), values, bool(groups.get("n")))


def _target(target: str, text: str) -> list[Option] | None:
    """The target's options; None if the text is not (only) of the target."""
    if target in HARMLESS and _HARMLESS.match(text):
        return []
    for option, pattern in _TARGETS.get(target, ()):
        found = pattern.match(text)
        masks = _MASKS.fullmatch(text, found.end()) if found else None
        if found and masks:
            both, packet, connection, connection2, packet2 = masks.groups()
            return [
                Option(option.format(**found.groupdict())),
                Option("--nfmask", (both or packet or packet2,)),
                Option("--ctmask", (both or connection or connection2,)),
            ]
        if found and found.end() == len(text):
            return [_filled(option, found)] if option else []
    known = target in _TARGETS or target in HARMLESS
    return [Option(text)] if target and not known else None
