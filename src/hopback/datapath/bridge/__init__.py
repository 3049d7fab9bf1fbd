"""The plain Linux bridge (net/bridge), cut where the kernel cuts it: ingress, table, egress."""
