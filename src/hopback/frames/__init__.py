"""Ethernet frames as frozen values, one module per protocol, and a codec that opens no socket.

Start at ``codec`` (bytes to ``ethernet.Frame`` and back); ``build`` makes frames, ``identity``
tells when two are the same, ``describe`` says one in a line, ``integrity`` judges checksums.
"""
