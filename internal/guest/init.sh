#!/bin/busybox sh
# The first program of the guest. It sets up what an installed Debian has, runs the commands of /guest/plan, each with
# its output on the ports to the host, and hands over what is in /out.
export PATH=/usr/local/bin:/guest/bin:/usr/sbin:/usr/bin HOME=/root TERM=dumb
/bin/busybox mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -s /proc/self/fd /dev/fd
mkdir /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs /tmp
mount -t debugfs debugfs /sys/kernel/debug 2>/dev/null
mkdir -p /run/netns /dev/net /var/lib/misc
ln -s /run /var/run

. /guest/settings # sets kernel, output directory, time limit, modules

uptime() { read -r seconds _ </proc/uptime; echo "$seconds"; }

begin=$(uptime)

xargs modprobe -a </etc/modules
for alias in /sys/bus/pci/devices/*/modalias; do
    [ ! -e "$alias" ] || modprobe -q "$(cat "$alias")"
done
for module in $GUEST_MODULES; do modprobe "$module"; done
for file in /guest/modules/*.ko; do
    [ ! -e "$file" ] || insmod "$file"
done
[ -e /dev/net/tun ] || mknod /dev/net/tun c 10 200
ip link set lo up

# The first and the last who wants a hook or a time stamp have the kernel patch its own code, and an emulator with several
# processors may meet it half done (Oops: int3). So somebody wants them all the time.
for hook in "netdev ingress device lo" "netdev egress device lo" "inet prerouting" "arp input"; do
    # shellcheck disable=SC2086 # family, hook, device
    set -- $hook
    nft "add table $1 kept; add chain $1 kept $2 { type filter hook ${hook#* } priority 0; }" 2>/dev/null
done
/usr/bin/ping -n -q -i 3600 127.0.0.1 >/dev/null 2>&1 </dev/null &

case $GUEST_KERNEL in
uml)
    mount -t hostfs hostfs /out -o "$GUEST_OUTPUT"
    stdout=/dev/ttyS0 stderr=/dev/ttyS1
    stty -F $stdout raw -echo
    stty -F $stderr raw -echo
    ;;
*)
    stdout=/dev/vport0p1 stderr=/dev/vport0p2
    ;;
esac
if ! [ -c $stdout ] || ! exec 3>$stdout 4>$stderr; then
    echo "init: the ports to the host are missing"
    poweroff -f
fi
mkdir -p /out/files
echo "kernel $begin" >/out/report
echo "ready $(uptime)" >>/out/report

# run N DIRECTORY PROGRAM ARGUMENT...: one command. One that takes too long is asked by SIGQUIT to say where it is.
run() {
    number=$1 begin=$(uptime)
    cd "$2" || return
    shift 2
    if [ "$GUEST_SECONDS" -gt 0 ]; then
        left=$((GUEST_SECONDS - ${begin%.*}))
        timeout -s QUIT -k 5 $((left > 0 ? left : 1)) "$@" >&3 2>&4 3>&- 4>&- </dev/null
    else
        "$@" >&3 2>&4 3>&- 4>&- </dev/null
    fi
    echo "command $number $? $begin $(uptime)" >>/out/report
    cd /
}
export MKAD_GUEST=$GUEST_KERNEL MKAD_GUEST_OUT=/out/files
. /guest/plan

dmesg >/out/dmesg
echo end >>/out/report
[ "$GUEST_KERNEL" = uml ] || tar -cf /dev/vport0p3 -C /out .
sync
poweroff -f
