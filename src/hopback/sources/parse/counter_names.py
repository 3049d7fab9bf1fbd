"""The sentences of ``netstat -s`` as the names that the kernel and nstat use.

net-tools statistics.c, as far as it tells of packets forwarded, dropped or complained about.
"""

_IP = {
    "total packets received": "InReceives",
    "with invalid headers": "InHdrErrors",
    "with invalid addresses": "InAddrErrors",
    "with unknown protocol": "InUnknownProtos",
    "incoming packets discarded": "InDiscards",
    "incoming packets delivered": "InDelivers",
    "requests sent out": "OutRequests",
    "outgoing packets dropped": "OutDiscards",
    "dropped because of missing route": "OutNoRoutes",
}
_ICMP = {
    "ICMP messages received": "InMsgs",
    "input ICMP message failed": "InErrors",
    "ICMP messages sent": "OutMsgs",
    "ICMP messages failed": "OutErrors",
}
_IN = {"destination unreachable": "InDestUnreachs", "redirects": "InRedirects"}
_OUT = {"destination unreachable": "OutDestUnreachs"}

SENTENCES: dict[str, dict[str, str]] = {
    "Ip": {**_IP, "forwarded": "ForwDatagrams"},
    "Ip6": {
        **_IP,
        "forwarded": "OutForwDatagrams",
        "incoming packets with no route": "InNoRoutes",
        "with packets too big": "InTooBigErrors",
    },
    "Icmp": _ICMP,
    "Icmp6": _ICMP,
    "Icmp input": {**_IN, "timeout in transit": "InTimeExcds"},
    "Icmp output": {**_OUT, "redirect": "OutRedirects", "time exceeded": "OutTimeExcds"},
    "Icmp6 input": {**_IN, "received ICMPv6 time exceeded": "InTimeExcds"},
    "Icmp6 output": {
        **_OUT,
        "redirects": "OutRedirects",
        "sent ICMPv6 time exceeded": "OutTimeExcds",
    },
}
"""By section, and in ICMP by histogram: what stands around the number, and the counter it is."""
