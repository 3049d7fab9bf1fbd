"""Fixes carried out on this host, and taken back unless somebody confirms them."""
