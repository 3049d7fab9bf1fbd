"""Runs a plan in network namespaces of the running kernel: ``python -m hopback.lab.netns``."""
