"""The IP layer of a namespace (net/ipv4, net/ipv6)."""
