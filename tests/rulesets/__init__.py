"""Random rulesets of nftables, for whoever has a kernel to give them to."""
