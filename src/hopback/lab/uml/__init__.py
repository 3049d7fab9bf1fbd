"""A kernel in a box: user-mode Linux, run as one ordinary process of an ordinary user.

The kernel inside has bonds, VLANs, IPVS and netfilter whatever the host's has, and a storm in it
harms nobody. It sees the host's files, so that the host's own programs run on it.

    find     where the kernel and its modules are
    boot     ``run``: boot, run one command, halt
    keeper   outside: sees to it that nothing is left, whatever becomes of the caller
    init     inside: the first process
    modules  inside: loads what the kernel asks for

It is no fence against malice: who is root inside is outside the user who started it, and hostfs
obeys him.
"""
