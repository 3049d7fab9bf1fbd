"""``nft list``: chains, hooks, sets; whole, cut, filtered, among prose."""

import pytest

from hopback.snapshot.rows import (
    FilterChain,
    FilterRule,
    Match,
    Opaque,
    PacketFilter,
    Row,
    Unsure,
    Verdict,
)
from hopback.sources.parse import nft
from hopback.sources.parse.base import Parsed
from tests.sources.parse.given import facts, listing, pasted, recorded, rows

LANGUAGE = "nft-language/nft-list-ruleset.txt"
LANGUAGE_JSON = "nft-language/nft-j-list-ruleset.json"


def unwritten(row: Row) -> dict[str, object]:
    """What a row says, apart from the words it was written in."""
    said = facts(row)
    said.pop("text", None)
    if isinstance(row, FilterRule):
        said["steps"] = [
            type(step) if isinstance(step, Opaque | Unsure) else step for step in row.steps
        ]
    if isinstance(row, FilterChain) and row.hook in ("ingress", "egress"):
        said.pop("devices", None)  # nft 1.0.6 leaves them out of its JSON
    return said


def in_order(parsed: Parsed) -> list[dict[str, object]]:
    return sorted(map(unwritten, parsed.rows), key=str)


def test_text_and_json_of_the_whole_language_are_the_same() -> None:
    text, json = nft.parse(recorded(LANGUAGE)), nft.parse(recorded(LANGUAGE_JSON))
    assert not text.problems
    assert not json.problems
    assert len(rows(text, FilterRule)) > 400
    for left, right in zip(in_order(text), in_order(json), strict=True):
        assert left == right


def test_little_of_the_language_stays_opaque() -> None:
    parsed = nft.parse(recorded(LANGUAGE))
    opaque = [s.text for r in rows(parsed, FilterRule) for s in r.steps if isinstance(s, Opaque)]
    assert {text.split()[0] for text in opaque} <= {
        *("ct", "counter", "dnat", "dup", "fwd", "iifname", "ip", "meta", "mh", "reset", "snat"),
        "synproxy",
    }
    assert len(opaque) < 20


def test_recorded_of_libvirt() -> None:
    """Text shows more than JSON where nft was built with libxtables; both keep every rule."""
    text = nft.parse(recorded("libvirt/nft-list-ruleset.txt"))
    json = nft.parse(recorded("libvirt/nft-j-list-ruleset.json"))
    for parsed in (text, json):
        assert not parsed.problems
        chains = [row for row in rows(parsed, FilterChain) if row.hook]
        assert [(row.name, row.hook, row.priority, row.policy) for row in chains] == [
            ("POSTROUTING", "postrouting", 300, "accept"),
            ("PREROUTING", "prerouting", -300, "accept"),
        ]
        assert len(rows(parsed, FilterRule)) == 43
    guard = next(r for r in rows(text, FilterRule) if r.chain == "O-vnet8-mac")
    assert guard.steps[0].values == ((0x525400770022,),)  # type: ignore[union-attr]
    assert guard.packets == 10
    assert guard.cite.line == 19
    assert sum(isinstance(s, Opaque) for r in rows(text, FilterRule) for s in r.steps) == 4
    assert sum(isinstance(s, Opaque) for r in rows(json, FilterRule) for s in r.steps) == 6


HOOKS = """
table {family} t {{
\tchain c {{
\t\ttype {kind} hook {hook}
\t\tcounter packets 1 bytes 2
\t}}
}}
"""


@pytest.mark.parametrize(
    ("family", "kind", "hook", "expected"),
    [
        ("ip", "filter", "input priority filter; policy drop;", ("input", 0, "drop")),
        ("ip", "nat", "postrouting priority srcnat + 1; policy accept;", ("postrouting", 101)),
        ("ip6", "filter", "prerouting priority raw - 10;", ("prerouting", -310)),
        ("inet", "route", "output priority mangle; policy accept;", ("output", -150)),
        ("ip", "filter", "forward priority 0; policy accept;", ("forward", 0)),
        ("ip", "filter", "forward priority -7;", ("forward", -7)),
        ("inet", "filter", "input priority security;", ("input", 50)),
        ("bridge", "filter", "forward priority filter; policy accept;", ("forward", -200)),
        ("bridge", "filter", "prerouting priority dstnat - 5;", ("prerouting", -305)),
        ("bridge", "filter", "output priority out;", ("output", 100)),
        ("bridge", "filter", "postrouting priority srcnat;", ("postrouting", 300)),
    ],
)
def test_hooks(family: str, kind: str, hook: str, expected: tuple[object, ...]) -> None:
    parsed = nft.parse(listing(HOOKS.format(family=family, kind=kind, hook=hook)))
    (chain,) = rows(parsed, FilterChain)
    assert (chain.hook, chain.priority, chain.policy)[: len(expected)] == expected
    assert (chain.family, chain.kind, chain.whole) == (family, kind, True)
    assert chain.cite.line == 3
    assert [rule.place for rule in rows(parsed, FilterRule)] == [1]


def test_a_priority_that_is_not_known_leaves_the_chain_not_whole() -> None:
    text = HOOKS.format(family="ip", kind="filter", hook="input priority later; policy accept;")
    (chain,) = rows(nft.parse(listing(text)), FilterChain)
    assert (chain.priority, chain.whole) == (None, False)


@pytest.mark.parametrize(
    ("words", "devices"),
    [
        ('device "eth0"', ("eth0",)),
        ("device eth0", ("eth0",)),
        ("devices = { eth0, eth1 }", ("eth0", "eth1")),
        ('devices = { "eth0", "eth1" }', ("eth0", "eth1")),
    ],
)
def test_devices_of_a_netdev_chain(words: str, devices: tuple[str, ...]) -> None:
    hook = f"ingress {words} priority filter; policy accept;"
    parsed = nft.parse(listing(HOOKS.format(family="netdev", kind="filter", hook=hook)))
    assert rows(parsed, FilterChain)[0].devices == devices


def test_devices_in_json() -> None:
    for dev, devices in (('"eth0"', ("eth0",)), ('["eth0", "eth1"]', ("eth0", "eth1"))):
        text = (
            '{"nftables": [{"chain": {"family": "netdev", "table": "t", "name": "c", "type": '
            f'"filter", "hook": "ingress", "prio": 0, "policy": "accept", "dev": {dev}}}}}]}}'
        )
        assert rows(nft.parse(listing(text)), FilterChain)[0].devices == devices


def test_a_dormant_table_is_hooked_nowhere() -> None:
    text = HOOKS.format(family="ip", kind="filter", hook="input priority 0; policy drop;")
    text = text.replace("{\n\tchain", "{\n\tflags dormant\n\n\tchain", 1)
    (chain,) = rows(nft.parse(listing(text)), FilterChain)
    assert (chain.hook, chain.policy, chain.whole) == (None, "return", True)


def test_the_flags_that_one_version_garbles_are_not_guessed() -> None:
    """nft 1.0.6 prints the name of the table in place of ``dormant``."""
    for flags, found in (
        ('["dormant"]', (None, True)),
        ('"owner"', ("input", True)),
        ('"t"', ("input", False)),
    ):
        text = (
            f'{{"nftables": [{{"table": {{"family": "ip", "name": "t", "flags": {flags}}}}},'
            ' {"chain": {"family": "ip", "table": "t", "name": "c", "type": "filter", "hook":'
            ' "input", "prio": 0, "policy": "drop"}}]}'
        )
        (chain,) = rows(nft.parse(listing(text)), FilterChain)
        assert (chain.hook, chain.whole) == found


def test_chains_without_their_rules() -> None:
    text = HOOKS.format(family="ip", kind="filter", hook="input priority 0; policy drop;")
    text = text.replace("\t\tcounter packets 1 bytes 2\n", "")
    assert rows(nft.parse(listing(text, "nft list ruleset")), FilterChain)[0].whole
    assert not rows(nft.parse(listing(text, "nft list chains")), FilterChain)[0].whole


CUT = """
table bridge t {
\tchain first {
\t\ttype filter hook forward priority filter; policy accept;
\t\tiifname "tap0" drop
\t}

\tchain second {
\t\ttype filter hook input priority filter; policy accept;
\t\tiifname "tap0" drop
%s
"""


@pytest.mark.parametrize(
    ("end", "places"),
    [
        ("", 1),
        ("[...]\n\t}\n}", 1),
        ("\t\t[snip]\n\t\tdrop\n\t}\n}", 2),
        ('\t\tiifname "tap1" ether sa[...]', 2),
        ("\t\tether saddr { 02:00:00:00:00:01,", 2),
        ("\nAnd then I did this:\n\t1. reboot", 1),
    ],
)
def test_a_chain_that_was_cut_is_not_whole(end: str, places: int) -> None:
    """The one before it is, and no rule is lost or invented."""
    parsed = nft.parse(pasted(CUT % end, "nft list ruleset"))
    assert {row.name: row.whole for row in rows(parsed, FilterChain)} == {
        "first": True,
        "second": False,
    }
    found = [rule for rule in rows(parsed, FilterRule) if rule.chain == "second"]
    assert [rule.place for rule in found] == list(range(1, places + 1))


@pytest.mark.parametrize(
    ("text", "noticed"),
    [
        ("table ip t {\n\tchain c {\n[...]\n\t\tdrop\n\t}\n}", ["nft ip t c"]),
        ("table ip t {\n\tchain c {\n\t\tdrop\n[...]\n\t}\n}", []),
        ("table ip t {\n\tchain c {\n[...]\n\t}\n\tchain d {\n\t\tjump c\n\t}\n}", []),
        (HOOKS.format(family="ip", kind="filter", hook="lookup priority 0;"), ["nft ip t c"]),
    ],
)
def test_a_chain_that_may_be_hooked_in_somewhere(text: str, noticed: list[str]) -> None:
    """What was cut off may have said where; and a newer kernel may have more hooks."""
    parsed = nft.parse(listing(text))
    assert [row.name for row in rows(parsed, PacketFilter)] == noticed
    filtered = nft.parse(listing(text.replace("[...]", ""))._replace(filtered=True))
    assert len(rows(filtered, PacketFilter)) == 1


def test_a_chain_that_begins_within_a_cut_set() -> None:
    text = (CUT % "\t\tether saddr { 02:00:00:00:00:01,").strip() + "\n\tchain third {\n\t}\n}"
    found = {row.name: row.whole for row in rows(nft.parse(pasted(text)), FilterChain)}
    assert found == {"first": True, "second": False, "third": True}


def test_prose_around() -> None:
    text = f"This is what I have:\n{CUT.strip()}\n\t}}\n}}\nDoes anybody know why?" % ""
    parsed = nft.parse(pasted(text))
    assert not parsed.problems
    assert all(row.whole for row in rows(parsed, FilterChain))
    assert len(rows(parsed, FilterRule)) == 2
    strict = nft.parse(listing(text))
    assert [problem.line for problem in strict.problems] == [1, 14]


def test_an_indentation_that_was_lost() -> None:
    text = "\n".join(line.strip() for line in (CUT % "\t}\n}").splitlines())
    parsed = nft.parse(listing(text))
    assert not parsed.problems
    assert [rule.chain for rule in rows(parsed, FilterRule)] == ["first", "second"]


def test_a_chain_without_its_table() -> None:
    """It is the bridge's if its rules look at Ethernet: priorities have other names there."""
    text = """
        chain fwd.eth0 {
                type filter hook forward priority filter; policy accept;
                iifname "vif0" %s saddr != %s drop
                iifname "vif0" ip saddr 10.0.0.[...]
        }
    """
    for words, family, priority in (
        (("ether", "02:00:00:00:00:01"), "bridge", -200),
        (("ip", "10.0.0.1"), "inet", 0),
    ):
        parsed = nft.parse(pasted(text % words, "nft list ruleset"))
        (chain,) = rows(parsed, FilterChain)
        assert (chain.family, chain.priority, chain.table) == (family, priority, "")
        assert not chain.whole
        first, second = rows(parsed, FilterRule)
        assert isinstance(first.steps[-1], Verdict)
        assert isinstance(second.steps[-1], Opaque)


def test_a_rule_that_is_not_understood_keeps_what_was() -> None:
    text = HOOKS.replace("counter packets 1 bytes 2", 'iifname "a" frobnicate all of it drop')
    parsed = nft.parse(listing(text.format(family="ip", kind="filter", hook="input priority 0;")))
    (rule,) = rows(parsed, FilterRule)
    assert not parsed.problems
    assert isinstance(rule.steps[0], Match)
    assert rule.steps[1:] == (Opaque("frobnicate all of it drop"),)


INNER = """
table inet t {
\tchain c {
\t\ttype filter hook input priority filter; policy accept;
\t\ttcp dport { 22,
\t\t\t    23 } jump {
\t\t\tip saddr 10.0.0.1 accept
\t\t\tip6 saddr { ::1,
\t\t\t\t    ::2 } return
\t\t} comment "why { not"
\t\tdrop
\t}
}
"""


def test_a_chain_without_a_name() -> None:
    """It is another chain, and called by the rule in which it stands."""
    parsed = nft.parse(listing(INNER))
    assert not parsed.problems
    assert [(row.name, row.hook) for row in rows(parsed, FilterChain)] == [
        ("c", "input"),
        ("__chain.c.1", None),
    ]
    found = [(rule.chain, rule.place, rule.steps[-1]) for rule in rows(parsed, FilterRule)]
    assert found == [
        ("c", 1, Verdict("jump", "__chain.c.1")),
        ("c", 2, Verdict("drop")),
        ("__chain.c.1", 1, Verdict("accept")),
        ("__chain.c.1", 2, Verdict("return")),
    ]
    cut = nft.parse(listing("\n".join(INNER.strip("\n").split("\n")[:7])))
    assert not any(row.whole for row in rows(cut, FilterChain))


def test_a_chain_without_a_name_in_json() -> None:
    """libnftables has no JSON for it, and prints text there."""
    text = (
        '{"nftables": [{"chain": {"family": "inet", "table": "t", "name": "c"}}, {"rule": '
        '{"family": "inet", "table": "t", "chain": "c", "expr": [{"counter": {"packets": 1}}, '
        '"jump {\\n\\t\\t\\tip saddr { 10.0.0.1,\\n\\t\\t 10.0.0.2 } accept'
        '\\n\\t\\t\\tdrop\\n\\t\\t}"]}}]}'
    )
    found = rows(nft.parse(listing(text)), FilterRule)
    assert [(rule.chain, rule.steps[-1]) for rule in found] == [
        ("c", Verdict("jump", "__chain.c.1")),
        ("__chain.c.1", Verdict("accept")),
        ("__chain.c.1", Verdict("drop")),
    ]


def test_an_extension_that_nft_was_built_without() -> None:
    """It looks like a remark, and is a match or a target."""
    text = HOOKS.format(family="ip", kind="filter", hook="input priority 0; policy accept;")
    text = text.replace("counter packets", "# xt_pkttype counter packets").replace(
        "bytes 2", "bytes 2 drop\n\t\t# what somebody wrote"
    )
    (rule,) = rows(nft.parse(listing(text)), FilterRule)
    assert rule.steps == (Opaque("# xt_pkttype"), Verdict("drop"))


def test_handles_and_warnings_are_nothing() -> None:
    text = """
        # Warning: table ip t is managed by iptables-nft, do not touch!
        table ip t { # handle 5
        \tchain c { # handle 1
        \t\ttype filter hook input priority filter; policy accept;
        \t\tcomment "what it is for"
        \t\tip saddr { 10.0.0.1,
        \t\t\t   10.0.0.2 } counter packets 3 bytes 9 drop comment "x # y" # handle 7
        \t}
        }
    """
    parsed = nft.parse(listing(text))
    assert not parsed.problems
    (rule,) = rows(parsed, FilterRule)
    assert (rule.place, rule.packets, rule.cite.line) == (1, 3, 6)
    assert len(rule.steps) == 2
    assert rule.text.endswith('comment "x # y"')


def test_a_chain_that_is_listed_again() -> None:
    """The later listing counts, and a problem says so once."""
    chains = "".join(f"\tchain c {{\n\t\t{rule}\n\t}}\n" for rule in ("accept", "drop", ""))
    parsed = nft.parse(listing(f"table ip t {{\n{chains}}}"))
    assert [problem.line for problem in parsed.problems] == [5]
    assert not rows(parsed, FilterRule)


def test_json_that_was_cut_keeps_what_is_whole() -> None:
    text = recorded("libvirt/nft-j-list-ruleset.json")
    parsed = nft.parse(text._replace(lines=[text.lines[0][:4000]]))
    assert [problem.line for problem in parsed.problems] == [1]
    chains = rows(parsed, FilterChain)
    assert len(chains) == 13
    assert not any(chain.whole for chain in chains)
    assert 0 < len(rows(parsed, FilterRule)) < 43


def test_json_of_something_else() -> None:
    for text in ('{"nftables": 5}', "{}", '{"nftables": [{"rule": 3}, 7, {"chain": {}}]}'):
        assert not nft.parse(listing(text)).rows


@pytest.mark.parametrize(
    "line",
    [
        "bash: nft: command not found",
        "netlink: Error: cache initialization failed: Operation not permitted",
        "Operation not permitted (you must be root)",
    ],
)
def test_an_error_message_is_a_problem(line: str) -> None:
    parsed = nft.parse(pasted(line, "nft list ruleset"))
    assert not parsed.rows
    assert len(parsed.problems) == 1


def test_warnings_are_no_listing() -> None:
    assert not nft.parse(recorded("libvirt/nft-list-ruleset.stderr")).rows
