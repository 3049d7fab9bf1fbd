"""Addresses that several devices use by design."""

from hopback.frames.mac import Mac, is_group

_SHARED_BY_DESIGN = frozenset({0xEEEE_EEEE_EEEE, 0xFEFF_FFFF_FFFF})  # Calico, Xen backends
_VIRTUAL_ROUTERS = (0x0000_5E00_01, 0x0000_5E00_02)
_CONTAINER_PREFIX = 0x0242  # Docker derives 02:42:… from the private address


def is_virtual_router(mac: Mac) -> bool:
    """Whether it is a virtual router's, which goes to whoever is master (RFC 9568 §7.3)."""
    return mac >> 8 in _VIRTUAL_ROUTERS


def is_shared(mac: Mac) -> bool:
    """Whether two holders of it are nothing strange."""
    if mac == 0 or is_group(mac) or mac in _SHARED_BY_DESIGN:
        return True
    return is_virtual_router(mac) or mac >> 32 == _CONTAINER_PREFIX
