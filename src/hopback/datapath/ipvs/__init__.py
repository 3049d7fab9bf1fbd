"""IPVS: a host that hands on to real servers what is for its virtual services."""
