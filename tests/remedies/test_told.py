"""Fixes for a port that no table shows, only a text's advice."""

from hopback.remedies.attach import with_remedies
from tests.build import pasted, report

ADVICE = """
    The guest says this at every start:

    [ 3.034743] eth0: IPv6 duplicate address 2001:db8::5054:ff:fe00:1 detected!

    Somebody told me to turn hairpin off on the host, as root:

    echo 0 > /sys/class/net/br0/brif/vnet0/hairpin_mode
"""


def test_they_are_planned_and_none_is_proved() -> None:
    mended = with_remedies(pasted(ADVICE), report(ADVICE))
    (finding,) = (f for f in mended.findings if f.check == "dad-reflection")
    fixes = {fix.name: fix for fix in finding.fixes}
    assert set(fixes) == {"hairpin_off", "port_filter", "port_filter_ebtables"}
    assert not any(fix.proved for fix in fixes.values())
    assert not fixes["hairpin_off"].safe
    assert "ether saddr 52:54:00:00:00:01" in fixes["port_filter"].files[0].content
    assert "ip -6 addr add 2001:db8::5054:ff:fe00:1/64 dev eth0" in fixes["port_filter"].afterwards


def test_a_port_that_a_table_shows_without_hairpin_has_none() -> None:
    shown = ADVICE + "\n    $ cat /sys/class/net/br0/brif/vnet0/hairpin_mode\n    0\n"
    mended = with_remedies(pasted(shown), report(shown))
    assert not any(finding.fixes for finding in mended.findings)


def test_a_port_of_that_name_that_one_host_has_is_the_one_meant() -> None:
    shown = (
        ADVICE
        + """
    root@kvm1:~# cat /sys/class/net/br0/brif/vnet0/hairpin_mode
    1
    """
    )
    mended = with_remedies(pasted(shown), report(shown))
    causes = {f.check: f for f in mended.findings if f.group == "comes-back"}
    assert {f.confidence for f in causes.values()} == {"certain"}
    assert causes["hairpin-reflection"].host == "kvm1"
    assert any(fix.proved for fix in causes["hairpin-reflection"].fixes)
