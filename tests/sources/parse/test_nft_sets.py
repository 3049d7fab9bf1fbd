"""Named sets and maps of nft: their elements, and whether these are all."""

from hopback.snapshot.rows import FilterChain, FilterSet, Span, Verdict
from hopback.sources.parse import nft
from tests.sources.parse.given import listing, rows

SETS = """
table inet t {
\tset addresses {
\t\ttype ipv4_addr
\t\tflags interval
\t\telements = { 10.0.0.0/8, 172.16.0.1-172.16.0.9,
\t\t\t     192.168.1.1 counter packets 4 bytes 5 timeout 1h expires 59m comment "a, b }" }
\t}

\tset pairs {
\t\ttypeof ip saddr . tcp dport . iifname
\t\tsize 65535
\t\telements = { 1.2.3.4 . 22 . "eth0",
\t\t\t     1.2.3.4 . 80 . "tap*" }
\t}

\tmap verdicts {
\t\ttype ifname : verdict
\t\telements = { * : drop,
\t\t\t     "eth0" : jump c }
\t}

\tmap targets {
\t\ttype inet_service : interval ipv4_addr . inet_service
\t\telements = { 80 : 1.2.3.4-1.2.3.9 . 8080 }
\t}

\tset seen {
\t\ttype ipv4_addr
\t\tflags dynamic,timeout
\t}

\tset limited {
\t\ttype ipv4_addr
\t\telements = { 1.2.3.4 limit rate 5/second burst 5 packets }
\t}

\tset odd {
\t\ttype nonsense
\t\telements = { what }
\t}

\tflowtable ft {
\t\thook ingress priority filter
\t\tdevices = { lo }
\t}

\tquota https-quota {
\t\t25 mbytes
\t}

\tcounter counted {
\t\tpackets 1 bytes 2
\t}

\tct helper ftp {
\t\ttype "ftp" protocol tcp
\t\tl3proto inet
\t}

\tchain c {
\t\tadd @seen { ip saddr }
\t}
}
"""


def test_named_sets_and_maps() -> None:
    parsed = nft.parse(listing(SETS, "nft list ruleset"))
    assert not parsed.problems
    found = {row.name: row for row in rows(parsed, FilterSet)}
    assert found["addresses"].elements == (
        (Span(0x0A000000, 0x0AFFFFFF),),
        (Span(0xAC100001, 0xAC100009),),
        (0xC0A80101,),
    )
    assert found["addresses"].cite.line == 2
    assert found["pairs"].elements == (
        (0x01020304, 22, "eth0"),
        (0x01020304, 80, "tap*"),
    )
    assert found["verdicts"].elements == (("eth0",), ("*",)), "what fits all comes last"
    assert found["verdicts"].verdicts == (Verdict("jump", "c"), Verdict("drop"))
    assert found["targets"].values == ((Span(0x01020304, 0x01020309), 8080),)
    assert all(found[name].whole for name in ("addresses", "pairs", "verdicts", "targets"))


def test_sets_that_may_hold_more_than_was_read() -> None:
    """Rules add to one, elements of another have conditions, of the third we know no type."""
    parsed = nft.parse(listing(SETS, "nft list ruleset"))
    found = {row.name: row.whole for row in rows(parsed, FilterSet)}
    assert not any(found[name] for name in ("seen", "limited", "odd"))


def test_terse_and_filtered_listings() -> None:
    terse = nft.parse(listing(SETS.replace("elements", "#"), "nft -t list ruleset"))
    assert not any(row.whole for row in rows(terse, FilterSet))
    text = listing(SETS)._replace(filtered=True)
    assert not any(row.whole for row in rows(nft.parse(text), FilterSet))
    assert not any(row.whole for row in rows(nft.parse(text), FilterChain))
