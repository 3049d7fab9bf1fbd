"""The shell script that collects a host's tables where hopback cannot run itself.

What it prints is a paste: each command after a prompt ``HOST# ``, then its output. It needs a POSIX
sh (dash, busybox) and takes what tools there are. It changes nothing: tools that would load a
kernel module by being run are run only if the module is there already.
"""

from hopback.sources.lines import COMPLAINT

_SCRIPT = r"""#!/bin/sh
# Prints what hopback reads of a host. It changes nothing and loads no kernel module.
LC_ALL=C
PATH=$PATH:/usr/sbin:/sbin
export LC_ALL PATH
host=$(uname -n)

# A complaint is marked, so that nobody takes it for a row of a table.
complain() {
    sed 's/^/COMPLAINT/'
}

# as TITLE COMMAND...: run the command, under a prompt that shows TITLE
as() {
    printf '%s# %s\n' "$host" "$1"
    shift
    { "$@" </dev/null 2>&1 >&3 3>&- | complain >&3; } 3>&1
}

# run COMMAND...: the same under its own words, if there is such a program
run() {
    if command -v "$1" >/dev/null 2>&1; then
        as "$*" "$@"
    fi
}

# Whether a module is there, or none can be loaded because the kernel has no modules.
present() {
    [ ! -e /proc/modules ] || [ -d "/sys/module/$1" ] || grep -q "^$1 " /proc/modules
}

# Whether a program that was made for two backends is the one for nf_tables.
speaks_nft() {
    case $(readlink -f "$(command -v "$1")") in
        *nft*) return 0 ;;
    esac
    return 1
}

# settings [WRAPPER...]: kernel settings of the namespace that WRAPPER enters
settings() {
    for key in ipv4/ip_forward ipv4/ip_default_ttl ipv4/icmp_errors_use_inbound_ifaddr \
        ipv4/fib_multipath_hash_policy ipv6/fib_multipath_hash_policy 'ipv4/vs/*' \
        bridge/bridge-nf-call-iptables bridge/bridge-nf-call-ip6tables \
        bridge/bridge-nf-call-arptables 'ipv4/conf/*/rp_filter' 'ipv4/conf/*/arp_ignore' \
        'ipv4/conf/*/arp_announce' 'ipv4/conf/*/arp_filter' 'ipv4/conf/*/forwarding' \
        'ipv4/conf/*/proxy_arp' 'ipv4/conf/*/proxy_arp_pvlan' 'ipv4/conf/*/accept_local' \
        'ipv4/conf/*/bc_forwarding' 'ipv4/conf/*/ignore_routes_with_linkdown' \
        'ipv4/conf/*/medium_id' 'ipv4/conf/*/route_localnet' 'ipv4/conf/*/send_redirects' \
        'ipv4/conf/*/shared_media' 'ipv4/conf/*/src_valid_mark' \
        'ipv6/conf/*/accept_dad' 'ipv6/conf/*/enhanced_dad' 'ipv6/conf/*/dad_transmits' \
        'ipv6/conf/*/disable_ipv6' 'ipv6/conf/*/forwarding' 'ipv6/conf/*/proxy_ndp' \
        'ipv6/conf/*/accept_ra' 'ipv6/conf/*/addr_gen_mode' 'ipv6/conf/*/optimistic_dad' \
        'ipv6/conf/*/ndisc_notify' 'ipv6/conf/*/drop_unsolicited_na' \
        'ipv6/conf/*/ignore_routes_with_linkdown'; do
        # expanded inside: the devices are those of the namespace
        as "$*${1:+ }grep -H . /proc/sys/net/$key" \
            "$@" sh -c "for file in /proc/sys/net/$key; do
                if [ -e \"\$file\" ]; then grep -H . \"\$file\"; fi
            done"
    done
}

# tables [WRAPPER...]: devices, bridges, addresses and routes of a namespace
tables() {
    run "$@" ip -d link show
    run "$@" ip addr show
    run "$@" bridge -d link show
    run "$@" bridge -s fdb show
    run "$@" bridge vlan show
    run "$@" bridge mdb show
    run "$@" ip neigh show
    run "$@" ip neigh show proxy
    run "$@" ip -6 neigh show proxy
    run "$@" ip route show table all
    run "$@" ip rule show
    run "$@" ip -6 rule show
    if present wireguard; then run "$@" wg show; fi
}

# directors [WRAPPER...]: IPVS of a namespace; the file is there only with the module
directors() {
    run "$@" cat /proc/net/snmp
    run "$@" cat /proc/net/snmp6
    "$@" test -e /proc/net/ip_vs || return 0
    run "$@" cat /proc/net/ip_vs_stats
    if command -v ipvsadm >/dev/null 2>&1; then
        run "$@" ipvsadm -Ln
        run "$@" ipvsadm -Sn
        run "$@" ipvsadm -Ln --stats
        run "$@" ipvsadm -L --daemon
        as "$*${1:+ }ipvsadm -Lnc | head -n 20000" "$@" sh -c 'ipvsadm -Lnc | head -n 20000'
    else
        run "$@" cat /proc/net/ip_vs
    fi
}

# What keepalived is told, without its password, and what it said last.
keepalived() {
    path=/etc/keepalived/keepalived.conf
    if [ ! -r "$path" ]; then return 0; fi
    as "cat $path" sed 's/\(auth_pass[[:space:]]*\).*/\1(hidden)/' "$path"
    run journalctl -u keepalived -n 500 --no-pager
}

bridges() {
    run brctl show
    for path in /sys/class/net/*/bridge; do
        [ -d "$path" ] || continue
        name=${path%/bridge}
        name=${name##*/}
        run brctl showmacs "$name"
        run brctl showstp "$name"
    done
    for path in /sys/class/net/*/brport; do
        [ -d "$path" ] || continue
        # flush can only be written
        as "grep -H . $path/*" sh -c 'for file in "$1"/*; do
            if [ -r "$file" ] && [ "${file##*/}" != flush ]; then grep -H . "$file"; fi
        done' sh "$path"
    done
    for path in /proc/net/bonding/*; do
        if [ -e "$path" ]; then run cat "$path"; fi
    done
}

guests() {
    command -v virsh >/dev/null 2>&1 || return 0
    run virsh -r list --all
    virsh -r list --all --name </dev/null 2>/dev/null | while IFS= read -r name; do
        if [ -n "$name" ]; then run virsh -r dumpxml "$name"; fi
    done
    run virsh -r nwfilter-list
    virsh -r nwfilter-list </dev/null 2>/dev/null | sed -n 's/^ *[0-9a-f-]\{36\} *//p' |
        while IFS= read -r name; do run virsh -r nwfilter-dumpxml "$name"; done
    run virsh -r nwfilter-binding-list
    virsh -r nwfilter-binding-list </dev/null 2>/dev/null | sed '1,2d' |
        while read -r name _; do
            if [ -n "$name" ]; then run virsh -r nwfilter-binding-dumpxml "$name"; fi
        done
}

# Of Proxmox' guests only what they are plugged into now: the rest may hold passwords.
plugs() {
    for path in /etc/pve/qemu-server/*.conf /etc/pve/lxc/*.conf; do
        [ -r "$path" ] || continue
        as "cat $path" sed -n '/^\[/q;/^net[0-9]*:/p;/^name:/p;/^hostname:/p' "$path"
    done
}

# save PROGRAM FILE: a legacy table exists only if FILE lists it
save() {
    command -v "$1" >/dev/null 2>&1 || return 0
    if speaks_nft "$1"; then
        if present nf_tables; then run "$1"; return; fi
    elif grep -q . "/proc/net/$2" 2>/dev/null; then
        run "$1"
        return
    fi
    echo "$1 was not run: it might load a kernel module" | complain
}

filters() {
    if present nf_tables; then
        run nft list ruleset
    elif command -v nft >/dev/null 2>&1; then
        echo 'nft was not run: it would load a kernel module' | complain
    fi
    save iptables-save ip_tables_names
    save ip6tables-save ip6_tables_names
    if present ip_set; then run ipset save; fi
    command -v ebtables-save >/dev/null 2>&1 || return 0
    if speaks_nft ebtables-save; then
        if present nf_tables; then run ebtables-save; return; fi
    elif [ -e /proc/modules ] && grep -q '^ebtable_' /proc/modules; then
        run ebtables-save
        return
    fi
    echo 'ebtables-save was not run: it might load a kernel module' | complain
}

# The connections, unless they are so many that they would be most of what is collected.
connections() {
    count=$(cat /proc/sys/net/netfilter/nf_conntrack_count 2>/dev/null) || return 0
    if [ "$count" -gt 20000 ]; then
        echo "the connection table was not read: it has $count entries" | complain
    elif [ -r /proc/net/nf_conntrack ]; then
        run cat /proc/net/nf_conntrack
    elif present nf_conntrack_netlink; then
        run conntrack -L
    fi
}

namespaces() {
    for path in /run/netns/*; do
        [ -e "$path" ] || continue
        name=${path##*/}
        if ip netns exec "$name" true </dev/null 2>/dev/null; then
            tables ip netns exec "$name"
            settings ip netns exec "$name"
            directors ip netns exec "$name"
            if present nf_tables && command -v nft >/dev/null 2>&1; then
                run ip netns exec "$name" nft list ruleset
            fi
        else
            echo "network namespace $name could not be entered: needs root" | complain
        fi
    done
}

run uname -a
run hostnamectl
run cat /etc/machine-id
run cat /proc/sys/kernel/random/boot_id
tables
bridges
settings
directors
keepalived
guests
plugs
filters
connections
if command -v dmesg >/dev/null 2>&1; then
    as 'dmesg | tail -n 2000' sh -c 'dmesg | tail -n 2000'
fi
namespaces
exit 0
"""
"""For ``ssh host sh -s``, or to be saved and run."""

SCRIPT = _SCRIPT.replace("COMPLAINT", COMPLAINT)
