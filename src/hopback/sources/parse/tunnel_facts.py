"""A tunnel's row from what ip says of it, in text or in JSON.

iproute2 ``ip/link_iptnl.c``, ``link_gre.c``, ``link_ip6tnl.c``, ``link_gre6.c`` (with ``ip link``),
``ip/tunnel.c``, ``iptunnel.c``, ``ip6tunnel.c`` (with ``ip tunnel``). The facts are keyed by the
names of the JSON.
"""

from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, ip_address
from typing import Any

from hopback.snapshot.rows import TUNNEL_KINDS, Tunnel, TunnelKind
from hopback.snapshot.table import Cite
from hopback.sources.parse.listing import CUT, family, number, pairs, switch

_INHERIT = {"ttl": 0, "tos": 1, "tclass": 1}
_WORDS = {
    **dict.fromkeys(("remote", "local", "ttl", "tos", "tclass", "ikey", "okey", "key", "fwmark")),
    "dev": "link",
    "hoplimit": "ttl",
    "encaplimit": "encap_limit",
}
_SWITCHES = {
    "pmtudisc": "pmtudisc",
    "ignore-df": "ignore_df",
    "external": "external",
    "iseq": "iseq",
    "oseq": "oseq",
    "icsum": "icsum",
    "ocsum": "ocsum",
}
_V6 = ("ip6tnl", "ip6gre", "ip6gretap")


def kind_of(name: str | None) -> TunnelKind | None:
    """The kind of a tunnel as ip names it, None for what is none."""
    return next((kind for kind in TUNNEL_KINDS if kind == name), None)


def said_in_text(words: Sequence[str]) -> dict[str, object]:
    """What the words of a device's line say, under the names of the JSON."""
    found: dict[str, object] = {}
    for word, value in pairs(words).items():
        if word in _WORDS:
            name = _WORDS[word] or word
            found.setdefault(name, _INHERIT.get(name, value) if value == "inherit" else value)
    if found.get("encap_limit") == "none":
        found["ip6_tnl_f_ign_encap_limit"] = True
    if ("ttl" in words or "hoplimit" in words) and not any(CUT.fullmatch(w) for w in words):
        found |= {name: word in words for word, name in _SWITCHES.items()}
        found |= {"pmtudisc": "nopmtudisc" not in words, "tos": found.get("tos", 0)}
    return found


def said_in_json(said: Mapping[str, object]) -> dict[str, object]:
    """The same from an object that tells the whole tunnel: what it leaves out is off."""
    rest = {"pmtudisc": "nopmtudisc" not in said, "tos": 0}
    return {**dict.fromkeys(_SWITCHES.values(), False), **rest, **said}


def tunnel_row(
    cite: Cite, netns: str, dev: str, kind: TunnelKind, said: Mapping[str, Any]
) -> Tunnel:
    """The row of the tunnel ``dev``."""
    told = "external" in said  # else the line was cut before its end
    unlimited = "ip6_tnl_f_ign_encap_limit" in said
    tos = number(said.get("tclass" if kind in _V6 else "tos"))
    if "ip6_tnl_f_use_orig_tclass" in said:
        tos = 1
    gre = "gre" in kind
    return Tunnel(
        cite=cite,
        netns=netns,
        dev=dev,
        kind=kind,
        local=_address(said.get("local")),
        remote=_address(said.get("remote")),
        lower=str(said.get("link") or "") if told else None,
        ttl=number(said.get("ttl")),
        tos=tos,
        key=_key(said.get("okey", said.get("key"))),
        accepts_key=_key(said.get("ikey", said.get("key"))),
        summed=switch(said.get("ocsum")) if gre else None,
        accepts_summed=switch(said.get("icsum")) if gre else None,
        numbered=switch(said.get("oseq")) if gre else None,
        accepts_numbered=switch(said.get("iseq")) if gre else None,
        pmtudisc=None if kind in _V6 else switch(said.get("pmtudisc")),
        ignore_df=switch(said.get("ignore_df")),
        external=switch(said.get("external")),
        encap_limit=-1 if unlimited else number(said.get("encap_limit")),
        mark=number(said.get("fwmark")),
    )


def _address(value: object) -> str | None:
    if value == "any":
        return ""
    if not isinstance(value, str) or family(value) is None:
        return None
    return "" if ip_address(value).is_unspecified else value


def _key(value: object) -> int | None:
    """A key is printed as a number, or like an address."""
    if isinstance(value, str) and value.count(".") == 3:
        return int(IPv4Address(value)) if family(value) == 4 else None
    return number(value)
