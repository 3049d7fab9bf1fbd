"""Packet filters: which rules a packet meets at a hook, and what they do to it."""
