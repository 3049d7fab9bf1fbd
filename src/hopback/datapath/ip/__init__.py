"""The IP layer of a namespace, as far as routing by the main table goes (net/ipv4, net/ipv6)."""
