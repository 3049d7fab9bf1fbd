"""Which service a packet is for, and which servers it may get."""

from typing import Any

import pytest
from msgspec.structs import replace

from hopback.datapath.effects import Ask, Blind, Deliver, Effect
from hopback.datapath.model import Model
from hopback.datapath.skb import Skb
from hopback.frames.tcp import ACK, FIN, RST, SYN
from hopback.frames.udp import Udp
from hopback.snapshot.rows import IpvsConnection, IpvsService
from hopback.snapshot.table import Cite
from tests.build import listing
from tests.datapath.ipvs.given import (
    CLIENT,
    VIP,
    asked,
    at,
    datagram,
    director,
    dropped,
    host,
    marked,
    segment,
    sent,
    server,
    service,
    setting,
)

C, D, E = "10.0.0.20", "10.0.0.21", "10.0.0.22"
AROUND = listing(
    "ip neigh show",
    [f"10.0.0.{n} dev eth0 lladdr 02:00:00:00:00:{n} REACHABLE" for n in (20, 21, 22)],
    "a",
)
HERE = host(more=AROUND)


def connection(
    to: str = D, *, protocol: str = "udp", virtual: int = 5000, own: int = 7, **fields: Any
) -> IpvsConnection:
    return IpvsConnection(
        cite=Cite(1000, 50),
        protocol=protocol,
        client=fields.pop("client", CLIENT),
        client_port=own,
        virtual=fields.pop("address", VIP),
        virtual_port=virtual,
        server=to,
        server_port=fields.pop("port", virtual),
        **fields,
    )


def goes_to(effects: tuple[Effect, ...]) -> str:
    """The server whose MAC it gets."""
    return f"10.0.0.{sent(effects).frame.dst & 0xFF:x}"


def two(**fields: Any) -> Model:
    return director(service(**fields), server(C, line=2), server(D, line=3), text=HERE)


def test_each_server_that_may_be_chosen_is_an_answer() -> None:
    question = asked(at(two(), datagram())).question
    assert question.answers == (f"{C}:5000", f"{D}:5000")
    for answer, expected in zip(question.answers, (C, D), strict=True):
        assert goes_to(at(two(), datagram(), {question: answer})) == expected


def test_a_client_keeps_the_server_of_its_connection() -> None:
    first = asked(at(two(), datagram())).question
    assert asked(at(two(), datagram())).question == first
    assert asked(at(two(), datagram(own=8))).question != first


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"weight": 0}, C),
        ({"upper": 10, "active": 4, "inactive": 6}, C),
        ({"upper": 0, "active": 4, "inactive": 6}, None),
        ({"upper": 11, "active": 4, "inactive": 6}, None),
    ],
)
def test_a_server_without_weight_or_with_too_much_gets_nothing_new(
    fields: dict[str, Any], expected: str | None
) -> None:
    model = director(service(), server(C, line=2), server(D, line=3, **fields), text=HERE)
    effects = at(model, datagram())
    assert isinstance(effects[0], Ask) if expected is None else goes_to(effects) == expected


def test_failover_takes_the_heaviest() -> None:
    rows = (service(scheduler="fo"), server(C, weight=1), server(D, line=3, weight=9))
    assert goes_to(at(director(*rows, text=HERE), datagram())) == D


def test_overflow_takes_one_that_is_below_its_weight() -> None:
    full = server(D, line=3, weight=9, active=10)
    rows = (service(scheduler="ovf"), server(C, weight=5, active=1), full)
    assert goes_to(at(director(*rows, text=HERE), datagram())) == C


@pytest.mark.parametrize("scheduler", ["sh", "dh"])
def test_a_hash_may_hit_a_server_that_gets_nothing(scheduler: str) -> None:
    rows = (service(scheduler=scheduler), server(C), server(D, line=3, weight=0))
    model = director(*rows, text=HERE)
    question = asked(at(model, datagram())).question
    assert question.answers[-1] == "none of them"
    assert dropped(at(model, datagram(), {question: "none of them"})) == "ipvs-no-server"


@pytest.mark.parametrize(
    ("scheduler", "flags", "fields", "may_miss"),
    [
        ("sh", (), {"weight": 0}, True),
        ("sh", ("sh-fallback",), {"weight": 0}, False),
        ("mh", (), {"weight": 0}, False),
        ("mh", (), {"upper": 1, "active": 1, "inactive": 0}, True),
        ("rr", (), {"weight": 0}, False),
    ],
)
def test_only_a_hash_without_fallback_misses(
    scheduler: str, flags: tuple[str, ...], fields: dict[str, Any], may_miss: bool
) -> None:
    of = service(scheduler=scheduler, flags=flags)
    effects = at(director(of, server(C), server(D, line=3, **fields), text=HERE), datagram())
    assert isinstance(effects[0], Ask) == may_miss


def test_overflow_takes_the_heaviest_of_those() -> None:
    free = [server(C, weight=5, active=1), server(D, line=3, weight=9, active=9)]
    model = director(service(scheduler="ovf"), *free, text=HERE)
    assert goes_to(at(model, datagram())) == D
    unknown = [server(C, weight=5), server(D, line=3, weight=9)]
    model = director(service(scheduler="ovf"), *unknown, text=HERE)
    assert isinstance(at(model, datagram())[0], Ask)


def test_a_template_tells_servers_of_one_address_apart() -> None:
    lasting = service(persistent=300)
    one = server(C, "masq", of=lasting, server_port=1)
    other = server(C, "masq", of=lasting, line=3, server_port=2)
    model = director(lasting, one, other, connection(C, own=0, port=2), text=HERE)
    packet = sent(at(model, datagram())).frame.payload
    assert getattr(getattr(packet, "payload", None), "dport", 0) == 2


@pytest.mark.parametrize("servers", [(), (server(C, weight=0),)])
def test_without_a_server_the_client_is_told(servers: tuple[Any, ...]) -> None:
    assert dropped(at(director(service(), *servers, text=HERE), datagram())) == "ipvs-no-server"


def test_a_mark_comes_before_an_address() -> None:
    mark = marked(7, line=5)
    rows = (service(), server(C), mark, server(D, of=mark, line=6))
    model = director(*rows, text=HERE)
    assert goes_to(at(model, datagram(), skb=Skb(mark=7))) == D
    assert goes_to(at(model, datagram())) == C
    assert sent(at(model, datagram(port=9), skb=Skb(mark=7))).why.rule == "ipvs-route"


def test_a_service_of_all_ports_has_to_be_persistent() -> None:
    everything = service(port=0)
    rows = (everything, server(C, of=everything))
    assert dropped(at(director(*rows, text=HERE), datagram(port=9))) == "ipvs-no-server"
    lasting = service(port=0, persistent=300)
    rows = (lasting, server(C, of=lasting))
    assert goes_to(at(director(*rows, text=HERE), datagram(port=9))) == C


def test_what_a_listing_lacks_is_asked_for() -> None:
    model = director(service(), server(C), text=HERE, complete=False)
    question = asked(at(model, datagram(port=9))).question
    (up,) = at(model, datagram(port=9), {question: "no"})
    assert isinstance(up, Deliver)
    (unknown,) = at(model, datagram(port=9), {question: "yes"})
    assert isinstance(unknown, Blind)
    servers = asked(at(model, datagram())).question
    assert len(servers.answers) == 2, "the server that is listed, and perhaps another"


def test_a_connection_goes_where_it_went() -> None:
    rows = (service(), server(C), server(D, line=3, weight=0), connection(D))
    effects = at(director(*rows, text=HERE), datagram())
    assert goes_to(effects) == D
    cited = {ref.cite.line for ref in sent(effects).why.refs}
    assert {50, 3} <= cited, "the connection and its server"


@pytest.mark.parametrize(("expires", "expected"), [(0, None), (1, C)])
def test_a_connection_whose_server_is_gone(expires: int, expected: str | None) -> None:
    rows = (service(), server(C), connection(D), setting("expire_nodest_conn", expires))
    effects = at(director(*rows, text=HERE), datagram())
    if expected is None:
        assert dropped(effects) == "ipvs-server-gone"
    else:
        assert goes_to(effects) == expected


WEB = service("tcp", port=80)


@pytest.mark.parametrize(
    ("flags", "taken"),
    [(SYN, True), (SYN | ACK, True), (ACK, False), (FIN | ACK, False), (SYN | RST, False)],
)
def test_only_a_syn_begins_a_connection(flags: int, taken: bool) -> None:
    (effect,) = at(director(WEB, server(C, of=WEB), text=HERE), segment(flags))
    assert isinstance(effect, Deliver) != taken


def test_sloppy_tcp_begins_anywhere() -> None:
    rows = (WEB, server(C, of=WEB), setting("sloppy_tcp", 1))
    assert goes_to(at(director(*rows, text=HERE), segment(ACK))) == C


@pytest.mark.parametrize(
    ("state", "mode", "release", "expected"),
    [
        ("ESTABLISHED", 1, "6.1.0", D),
        ("TIME_WAIT", 1, "6.1.0", C),
        ("CLOSE", 1, "6.1.0", C),
        ("TIME_WAIT", 0, "6.1.0", D),
        ("TIME_WAIT", 1, "4.0.9", D),
        ("FIN_WAIT", 1, "6.1.0", D),
        ("FIN_WAIT", 2, "6.1.0", C),
    ],
)
def test_a_syn_takes_the_place_of_a_connection_that_is_over(
    state: str, mode: int, release: str, expected: str
) -> None:
    over = connection(D, protocol="tcp", virtual=80, own=40000, state=state)
    rows = (
        WEB,
        server(C, of=WEB),
        server(D, of=WEB, line=3, weight=0),
        over,
        setting("conn_reuse_mode", mode),
    )
    text = HERE + listing("uname -r", [release], "a")
    assert goes_to(at(director(*rows, text=text), segment())) == expected


@pytest.mark.parametrize(("release", "expected"), [("5.8.0", D), ("5.9.0", C)])
def test_a_syn_leaves_a_server_without_weight(release: str, expected: str) -> None:
    open_ = connection(D, protocol="tcp", virtual=80, own=40000, state="ESTABLISHED")
    expire = setting("expire_nodest_conn", 1)
    rows = (WEB, server(C, of=WEB), server(D, of=WEB, line=3, weight=0), open_, expire)
    text = HERE + listing("uname -r", [release], "a")
    assert goes_to(at(director(*rows, text=text), segment())) == expected


def test_a_connection_of_persistence_is_never_begun_anew() -> None:
    lasting = service("tcp", port=80, persistent=300)
    over = connection(D, protocol="tcp", virtual=80, own=40000, state="TIME_WAIT")
    rows = (lasting, server(C, of=lasting), server(D, of=lasting, line=3, weight=0), over)
    assert goes_to(at(director(*rows, text=HERE), segment())) == D


@pytest.mark.parametrize(
    ("remembered", "expected"), [("10.0.0.0", D), (CLIENT, None), ("10.0.1.0", None)]
)
def test_persistence_remembers_a_client_by_its_network(
    remembered: str, expected: str | None
) -> None:
    lasting = service(persistent=300, netmask="255.255.255.0")
    template = connection(D, own=0, client=remembered)
    rows = (lasting, server(C, of=lasting), server(D, of=lasting, line=3), template)
    effects = at(director(*rows, text=HERE), datagram())
    if expected:
        assert goes_to(effects) == expected
    else:
        assert "10.0.0.0/24" in asked(effects).question.text


@pytest.mark.parametrize(("quiescent", "expected"), [(0, D), (1, C)])
def test_what_is_remembered_outlasts_a_weight_of_zero(quiescent: int, expected: str) -> None:
    lasting = service(persistent=300)
    rows = (
        lasting,
        server(C, of=lasting),
        server(D, of=lasting, line=3, weight=0),
        connection(D, own=0),
        setting("expire_quiescent_template", quiescent),
    )
    assert goes_to(at(director(*rows, text=HERE), datagram())) == expected


def test_persistence_by_a_mark_looks_at_no_port() -> None:
    mark = marked(7, persistent=300)
    template = connection(D, protocol="ip", own=0, address="0.0.0.7", virtual=0)
    rows = (mark, server(C, of=mark), server(D, of=mark, line=3), template)
    model = director(*rows, text=HERE)
    for port in (5000, 80):
        assert goes_to(at(model, datagram(port=port), skb=Skb(mark=7))) == D


def test_ftp_data_from_a_server_is_left_alone() -> None:
    (effect,) = at(director(service(), server(C), text=HERE), datagram(own=20))
    assert isinstance(effect, Deliver)


def test_ports_stay_where_the_server_has_none() -> None:
    lasting = service(port=0, persistent=300)
    rows = (lasting, server(C, "masq", of=lasting, server_port=0))
    packet = sent(at(director(*rows, text=HERE), datagram(port=9))).frame.payload
    message = getattr(packet, "payload", None)
    assert isinstance(message, Udp)
    assert message.dport == 9


def test_an_unlisted_configuration_does_not_hide_the_kernels_table() -> None:
    plan: IpvsService = service(port=9, configured=True, line=70)
    rows = (plan, server(C, of=plan, configured=True, line=71))
    assert goes_to(at(director(*rows, text=HERE), datagram(port=9))) == C
    listed = director(service(), server(C), text=HERE)
    assert isinstance(at(listed, datagram(port=9))[0], Deliver)


@pytest.mark.parametrize(("answer", "taken"), [("yes", True), ("no", False)])
def test_a_later_segment_has_a_connection_that_nobody_listed(answer: str, taken: bool) -> None:
    model = director(WEB, server(C, of=WEB), text=HERE)
    unlisted = replace(model.directors["a", ""], followed=False)
    model = replace(model, directors={("a", ""): unlisted})
    question = asked(at(model, segment(ACK))).question
    assert question.default == "yes"
    (effect,) = at(model, segment(ACK), {question: answer})
    assert isinstance(effect, Deliver) != taken


def test_a_connection_of_a_mark_needs_the_mark_no_more() -> None:
    mark = marked(7)
    rows = (mark, server(C, of=mark), server(D, of=mark, line=3), connection(D, port=0))
    assert goes_to(at(director(*rows, text=HERE), datagram())) == D


def test_of_two_methods_no_one_is_guessed() -> None:
    mark = marked(7)
    one, other = server(D), server(D, "masq", of=mark, line=3, server_port=5000)
    rows = (service(), one, mark, other, connection(D))
    (effect,) = at(director(*rows, text=HERE), datagram())
    assert isinstance(effect, Blind)


def test_with_conntrack_a_connection_that_begins_anew_is_left_open() -> None:
    over = connection(C, protocol="tcp", virtual=80, own=40000, state="TIME_WAIT")
    model = director(WEB, server(C, of=WEB), over, setting("conntrack", 1), text=HERE)
    (effect,) = at(model, segment())
    assert isinstance(effect, Blind)


def test_a_server_s_own_port_is_not_that_of_every_connection() -> None:
    """A persistent service of all ports keeps the packet's port."""
    lasting = service(port=0, persistent=300)
    one = server(C, "masq", of=lasting, server_port=6000)
    rows = (lasting, one, connection(C, virtual=9, port=9))
    packet = sent(at(director(*rows, text=HERE), datagram(port=9))).frame.payload
    assert getattr(getattr(packet, "payload", None), "dport", 0) == 9
