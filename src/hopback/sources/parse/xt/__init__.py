"""The rules of iptables, arptables and ebtables as steps, whatever listing shows them."""
