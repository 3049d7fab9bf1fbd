# A host of its own for libvirtd: the caller gave it namespaces for mounts, network and processes.
# Nothing that is started, written or plugged in here is seen outside, and all of it ends with $$.
set -eu
bridge=$1

settings=$(mktemp -d)
cp -a /etc/. "$settings"
mount -t tmpfs tmpfs /run
mount -t sysfs sysfs /sys # that of this network namespace: libvirt looks for bridges in it
for folder in /etc /var/log /var/lib/libvirt /var/cache/libvirt; do
    mount -t tmpfs tmpfs "$folder"
done
cp -a "$settings"/. /etc
rm -rf "$settings" /etc/libvirt/qemu/networks/autostart
mkdir -p /var/log/libvirt
cat >/etc/libvirt/qemu.conf <<'END'
security_driver = "none"
user = "root"
group = "root"
stdio_handler = "file"
cgroup_controllers = []
namespaces = []
END

ip link set lo up
sysctl -qw net.ipv6.conf.default.disable_ipv6=1
ip link add "$bridge" type bridge forward_delay 0
ip link set "$bridge" up
# Not exec: the shell stays process 1, and reaps what libvirt leaves to it.
libvirtd &
wait
