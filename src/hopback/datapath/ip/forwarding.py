"""Whether a host sends on what is for others (net.ipv4.ip_forward and its like)."""

from hopback.datapath.effects import Ask, Drop, Question, Why, World
from hopback.datapath.ip.host import Family, Host
from hopback.datapath.ip.settings import of_device
from hopback.network.facts import Fact


def forwards(host: Host, world: World, dev: str, version: Family) -> Fact[bool] | Drop | Ask:
    """The rows by which the host forwards what comes in by ``dev``, or that it does not.

    IN_DEV_FORWARD is the device's own; for IPv6 what is set for all counts.
    """
    settings = host.settings
    fact = settings.get(f"ipv{version}.conf.all.forwarding")
    if version == 4:
        own = of_device(settings, 4, dev, "forwarding")
        fact = own or settings.get("ipv4.ip_forward") or fact
    if fact is not None:
        off = Drop(Why("ip-forwarding-off", fact.refs))
        return Fact(True, fact.refs) if fact.value else off
    text = f"does it forward IPv{version}?"
    question = Question(host.id, text, ("yes", "no"), "yes" if host.router else "no")
    if question not in world:
        return Ask(question)
    return Fact(True, ()) if world[question] == "yes" else Drop(Why("ip-forwarding-off"))
