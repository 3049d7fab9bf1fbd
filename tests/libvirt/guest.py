"""A guest that boots in two seconds: a kernel, busybox, and a shell on the serial line."""

import stat
from collections.abc import Iterator
from pathlib import Path

_MODULES = (
    "drivers/virtio/virtio_ring",
    "drivers/virtio/virtio",
    "drivers/virtio/virtio_pci_legacy_dev",
    "drivers/virtio/virtio_pci_modern_dev",
    "drivers/virtio/virtio_pci",
    "net/core/failover",
    "drivers/net/net_failover",
    "drivers/net/virtio_net",
)
"""What virtio_net needs of Debian's kernel, each after what it depends on."""

READY = "the guest is up"

_INIT = f"""\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in {" ".join(Path(m).name for m in _MODULES)}; do insmod /$module.ko; done
# Like a kernel before 4.10 and any stack without RFC 7527: it does not know its own question again.
for scope in all eth0; do echo 0 >/proc/sys/net/ipv6/conf/$scope/enhanced_dad; done
ip link set eth0 up
echo '{READY}'
exec setsid cttyhack sh
"""


def initramfs(parts: Path) -> bytes:
    """The archive for a guest; ``parts`` is the folder that ``tools/guest-kernel`` filled."""
    files = {"init": _INIT.encode(), "bin/busybox": (parts / "busybox").read_bytes()}
    for module in _MODULES:
        path = (parts / "modules" / module).with_suffix(".ko")
        files[path.name] = path.read_bytes()
    return b"".join(_archive(("bin", "proc", "sys", "dev"), files))


def _archive(folders: tuple[str, ...], files: dict[str, bytes]) -> Iterator[bytes]:
    """cpio's newc format, which the kernel unpacks (Documentation/driver-api/early-userspace)."""
    for number, name in enumerate(folders, 1):
        yield _entry(number, name, stat.S_IFDIR | 0o755, b"")
    for number, (name, content) in enumerate(files.items(), len(folders) + 1):
        yield _entry(number, name, stat.S_IFREG | 0o755, content)
    yield _entry(0, "TRAILER!!!", 0, b"")


def _entry(inode: int, name: str, mode: int, content: bytes) -> bytes:
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + path
    return _padded(head) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
