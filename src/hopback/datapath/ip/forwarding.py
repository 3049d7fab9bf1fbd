"""Whether a host sends on what is for others (net.ipv4.ip_forward and its like)."""

from hopback.datapath.effects import Ask, Drop, Question, Why, World
from hopback.datapath.ip.host import Family, Host
from hopback.network.facts import Fact


def forwards(host: Host, world: World, dev: str, version: Family) -> Fact[bool] | Drop | Ask:
    """The rows by which the host forwards what comes in by ``dev``, or that it does not.

    IN_DEV_FORWARD is the device's own; for IPv6 what is set for all counts.
    """
    key = dev.replace(".", "/")
    keys: tuple[str, ...] = ("ipv6.conf.all.forwarding",)
    if version == 4:
        keys = (f"ipv4.conf.{key}.forwarding", "ipv4.ip_forward", "ipv4.conf.all.forwarding")
    fact = next((found for name in keys if (found := host.settings.get(name))), None)
    if fact is not None:
        off = Drop(Why("ip-forwarding-off", fact.refs))
        return Fact(True, fact.refs) if fact.value else off
    text = f"does it forward IPv{version}?"
    question = Question(host.id, text, ("yes", "no"), "yes" if host.router else "no")
    if question not in world:
        return Ask(question)
    return Fact(True, ()) if world[question] == "yes" else Drop(Why("ip-forwarding-off"))
