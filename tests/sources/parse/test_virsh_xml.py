"""libvirt XML, whole and in pieces; DTDs and entities are refused."""

import pytest

from hopback.frames.mac import parse_mac
from hopback.snapshot.rows import (
    Guest,
    GuestNic,
    NwBinding,
    NwFilter,
    NwItem,
    NwReference,
    NwRule,
    Unread,
)
from hopback.sources.parse import virsh_xml
from tests.sources.parse.given import facts, listing, pasted, recorded, rows


@pytest.mark.parametrize(
    ("guest", "tap", "last", "filter_name"),
    [
        ("vml-k1", "vnet7", 0x21, ""),
        ("vml-k2", "vnet8", 0x22, "no-mac-reflection"),
        ("vml-k3", "vnet9", 0x23, "clean-traffic"),
    ],
)
def test_whole_domain(guest: str, tap: str, last: int, filter_name: str) -> None:
    parsed = virsh_xml.parse(recorded(f"libvirt/virsh-dumpxml-{guest}.xml"))
    assert [facts(row) for row in parsed.rows] == [
        {"name": guest},
        {
            "guest": guest,
            "mac": parse_mac(f"52:54:00:77:00:{last:02x}"),
            "target": tap,
            "source": "vml-br",
            "source_kind": "bridge",
            "model": "virtio",
            "filter": filter_name,
        },
    ]
    assert [row.cite.line for row in parsed.rows] == [2, 51]
    assert not parsed.problems


def test_domain_indented_or_not_cites_its_lines() -> None:
    text = recorded("libvirt/virsh-dumpxml-vml-k1.xml")
    parsed = virsh_xml.parse(text._replace(first=101))
    assert [row.cite.line for row in parsed.rows] == [102, 151]


def test_binding_tells_filter_and_owner() -> None:
    parsed = virsh_xml.parse(recorded("libvirt/virsh-nwfilter-binding-dumpxml-vnet8.xml"))
    told = {
        "guest": "vml-k2",
        "mac": parse_mac("52:54:00:77:00:22"),
        "filter": "no-mac-reflection",
        "parameters": (("MAC", "52:54:00:77:00:22"),),
    }
    nic, binding = parsed.rows
    assert facts(nic) == {**told, "target": "vnet8"}
    assert facts(binding) == {**told, "device": "vnet8"}
    assert (type(nic), type(binding)) == (GuestNic, NwBinding)


def test_a_filter_with_what_is_in_it() -> None:
    parsed = virsh_xml.parse(recorded("libvirt/virsh-nwfilter-dumpxml-clean-traffic.xml"))
    (row,) = rows(parsed, NwFilter)
    assert (row.name, row.chain, row.priority, row.whole) == ("clean-traffic", "root", None, True)
    inside = [(row.place, row.target) for row in rows(parsed, NwReference)]
    assert inside == [
        (1, "no-mac-spoofing"),
        (2, "no-ip-spoofing"),
        (4, "allow-incoming-ipv4"),
        (5, "no-arp-spoofing"),
        (7, "no-other-l2-traffic"),
        (8, "qemu-announce-self"),
    ]
    first, _ = rows(parsed, NwRule)
    assert facts(first) == {
        "filter": "clean-traffic",
        "place": 3,
        "action": "accept",
        "direction": "out",
        "priority": -650,
        "stateful": True,
        "protocol": "mac",
        "items": (NwItem("protocolid", "ipv4"),),
    }
    assert first.cite.line == 5
    assert not parsed.problems


def test_negations_parameters_and_several_matches() -> None:
    text = """
        <filter name='f' chain='ipv4-x' priority='-710'>
          <filterref filter='g'><parameter name='IP' value='10.0.0.1'/>
            <parameter name='IP' value='10.0.0.2'/></filterref>
          <rule action='drop' direction='inout' statematch='false'>
            <ip srcipaddr='$IP' comment='why'/>
            <ip match='no' dstipaddr='10.0.0.9'/>
          </rule>
        </filter>
    """
    parsed = virsh_xml.parse(listing(text))
    (row,) = rows(parsed, NwFilter)
    assert (row.chain, row.priority) == ("ipv4-x", -710)
    (reference,) = rows(parsed, NwReference)
    assert reference.parameters == (("IP", "10.0.0.1"), ("IP", "10.0.0.2"))
    (rule,) = rows(parsed, NwRule)
    assert rule.items == (NwItem("srcipaddr", "$IP"), NwItem("dstipaddr", "10.0.0.9", True))
    assert (rule.priority, rule.stateful, rule.place) == (None, False, 2)


BROKEN = """
    <filter name='nd' chain='ipv6'>
        <!-- towards the guest -->
        <rule action='drop' direction='in'>
            <mac dstmacaddr='33:33:00:00:00:00' srcmacaddr='$MAC'/>

        <!-- nothing the other way -->
    %s
"""


@pytest.mark.parametrize("end", ["</filter>", "", "\nI have not tried this (yet)"])
def test_a_rule_that_is_not_closed_is_read_all_the_same(end: str) -> None:
    parsed = virsh_xml.parse(pasted(BROKEN % end))
    (rule,) = rows(parsed, NwRule)
    assert [item.name for item in rule.items] == ["dstmacaddr", "srcmacaddr"]
    (row,) = rows(parsed, NwFilter)
    assert not row.whole
    assert [row.what for row in rows(parsed, Unread)] == ["libvirt nwfilter nd"]
    assert len(parsed.problems) == 1


def test_a_file_of_libvirt_s_own() -> None:
    text = """
        <!--
        WARNING: THIS IS AN AUTO-GENERATED FILE. CHANGES TO IT ARE LIKELY TO BE
        OVERWRITTEN AND LOST. Changes to this xml configuration should be made using:
          virsh nwfilter-edit f
        -->

        <filter name='f' chain='root'>
          <rule action='drop' direction='in'/>
        </filter>
    """
    parsed = virsh_xml.parse(listing(text, "cat /etc/libvirt/nwfilter/f.xml"))
    assert rows(parsed, NwFilter)[0].whole
    assert rows(parsed, NwRule)[0].protocol == ""
    assert not parsed.problems


def test_a_guest_s_own_parameters() -> None:
    text = """
        <domain type='kvm'><name>web</name><devices>
        <interface type='bridge'>
        <mac address='02:00:00:00:00:31'/>
        <source bridge='br0'/>
        <filterref filter='clean-traffic'>
          <parameter name='IP' value='10.0.0.5'/>
        </filterref>
        </interface></devices></domain>
    """
    (nic,) = rows(virsh_xml.parse(listing(text)), GuestNic)
    assert (nic.filter, nic.parameters) == ("clean-traffic", (("IP", "10.0.0.5"),))


FRAGMENT = """
    <interface type='bridge'>
      <mac address='52:54:00:00:00:01'/>
      <source bridge='br1'/>
      <target dev='tap1'/>
      <filterref filter='f1'/>
      <model type='virtio'/>
--
    <interface type='network'>
      <mac address='52:54:00:00:00:02'/>
      <source network='default' portid='1' bridge='virbr0'/>
      <target dev='tap2'/>
      <model type='e1000'/>
      <alias name='net1'/>
--
    </interface>
    <serial type='pty'>
      <source path='/dev/pts/2'/>
      <target type='isa-serial' port='0'>
"""


def test_fragments_of_grep() -> None:
    parsed = virsh_xml.parse(listing(FRAGMENT, "virsh dumpxml web | grep -A 5 interface"))
    one, two = rows(parsed, GuestNic)
    assert (one.guest, one.source, one.source_kind, one.target) == ("web", "br1", "bridge", "tap1")
    assert one.filter == "f1"
    assert (two.source, two.source_kind, two.target) == ("virbr0", "bridge", "tap2")
    assert two.filter is None  # it may have been cut off
    assert not parsed.problems


def test_several_whole_interfaces_without_a_root() -> None:
    parsed = virsh_xml.parse(
        pasted(
            """
            Here is what it has:
            <interface type='bridge'>
              <mac address='52:54:00:00:00:01'/>
              <source bridge='br1'/>
              <target dev='tap1'/>
            </interface>
            <interface type='direct'>
              <mac address='52:54:00:00:00:02'/>
              <source dev='eth0' mode='vepa'/>
              <target dev='macvtap0'/>
            </interface>
            and that is all.
            """
        )
    )
    one, two = rows(parsed, GuestNic)
    assert (one.filter, one.guest, one.cite.line) == ("", None, 3)
    assert (two.source, two.source_kind, two.target) == ("eth0", "direct", "macvtap0")
    assert (one.source_mode, two.source_mode) == (None, "vepa")
    assert not parsed.problems


def test_lines_without_the_interface_tag() -> None:
    parsed = virsh_xml.parse(
        pasted(
            """
            <mac address='52:54:00:00:00:01'/>
            <source bridge='br1'/>
            <target dev='tap1'/>
            <mac address='52:54:00:00:00:02'/>
            <source network='default'/>
            <target dev='tap2'/>
            """,
            "virsh dumpxml web | grep -A3 '<interface'",
        )
    )
    assert [(nic.guest, nic.target, nic.source_kind) for nic in rows(parsed, GuestNic)] == [
        ("web", "tap1", "bridge"),
        ("web", "tap2", "network"),
    ]
    assert all(nic.filter is None for nic in rows(parsed, GuestNic))


def test_disks_are_no_interfaces() -> None:
    parsed = virsh_xml.parse(
        pasted(
            """
            <disk type='block' device='disk'>
              <source dev='/dev/vg/web'/>
              <target dev='vda' bus='virtio'/>
            </disk>
            <target dev='vdb' bus='virtio'/>
            """
        )
    )
    assert not parsed.rows


def test_disk_behind_an_interface_that_was_cut() -> None:
    parsed = virsh_xml.parse(
        pasted(
            """
            <mac address='52:54:00:00:00:01'/>
            <source bridge='br1'/>
            <target dev='tap1'/>
            <source dev='/dev/vg/web'/>
            <target dev='vda' bus='virtio'/>
            """
        )
    )
    assert [nic.target for nic in rows(parsed, GuestNic)] == ["tap1"]


def test_redacted_mac_leaves_the_rest() -> None:
    parsed = virsh_xml.parse(
        pasted(
            "<interface type='bridge'>\n<mac address='52:54:xx:xx:xx:xx'/>\n<target dev='tap1'/>"
        )
    )
    assert [facts(row) for row in parsed.rows] == [{"source_kind": "bridge", "target": "tap1"}]


BOMB = """
    <?xml version="1.0"?>
    <!DOCTYPE domain [
      <!ENTITY a "aaaaaaaaaa">
      <!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
    ]>
    <domain type='kvm'>
      <name>&b;</name>
      <devices><interface type='bridge'><target dev='tap1'/></interface></devices>
    </domain>
"""


def test_bomb_is_refused_with_one_problem() -> None:
    parsed = virsh_xml.parse(listing(BOMB))
    assert not parsed.rows
    (problem,) = parsed.problems
    assert problem.line == 1
    assert "DTD" in problem.message


def test_external_entity_is_refused() -> None:
    parsed = virsh_xml.parse(
        listing(
            """
            <!DOCTYPE domain SYSTEM "file:///etc/passwd">
            <domain type='kvm'><name>web</name></domain>
            """
        )
    )
    assert not parsed.rows
    assert len(parsed.problems) == 1


def test_what_follows_a_refused_document_is_read() -> None:
    parsed = virsh_xml.parse(listing(BOMB + "    <domain type='kvm'>\n<name>web</name></domain>"))
    assert [row.name for row in rows(parsed, Guest)] == ["web"]
    assert len(parsed.problems) == 1


def test_malformed_domain_is_read_as_far_as_possible() -> None:
    text = recorded("libvirt/virsh-dumpxml-vml-k2.xml")
    broken = [line for line in text.lines if "</devices>" not in line]
    parsed = virsh_xml.parse(text._replace(lines=broken))
    (problem,) = parsed.problems
    assert problem.message == "malformed XML, read as far as possible (mismatched tag)"
    assert broken[problem.line - 1] == "</domain>"
    (nic,) = rows(parsed, GuestNic)
    assert (nic.guest, nic.target, nic.filter) == ("vml-k2", "vnet8", "no-mac-reflection")


def test_cut_filter_in_a_paste_keeps_its_name() -> None:
    parsed = virsh_xml.parse(
        pasted(
            """
            <filter name='no-reflection' chain='mac'>
              <rule action='drop' direction='in'>
                <mac srcmacaddr='$MAC'/>
            I have not tried it.
            """
        )
    )
    assert [row.what for row in rows(parsed, Unread)] == ["libvirt nwfilter no-reflection"]
    assert not rows(parsed, GuestNic)
    assert [(problem.line, problem.message) for problem in parsed.problems] == [
        (1, "XML that has no end, read as far as possible")
    ]


def test_error_message_in_a_file_is_a_problem() -> None:
    parsed = virsh_xml.parse(listing("error: failed to get domain 'web'", "virsh dumpxml web"))
    assert not parsed.rows
    assert len(parsed.problems) == 1
