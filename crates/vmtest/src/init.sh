#!/bin/busybox sh
# shellcheck shell=dash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# The init of every kernel that vmtest boots: makes /ports, runs /script,
# reports how it ended through the port "status" and powers off.

export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev

# From here on a kernel may hang as long as it likes.
hangs=/proc/sys/kernel/softlockup_panic
[ ! -e $hangs ] || echo 0 >$hangs

for module in /virtio/*.ko; do
    [ ! -e "$module" ] || insmod "$module"
done

# A port and then its name appear some time after the driver.
expected=$(wc -l </vmtest/ports)
tries=500
while [ "$(cat /sys/class/virtio-ports/*/name 2>/dev/null | wc -l)" -lt "$expected" ] &&
    [ $((tries -= 1)) -gt 0 ]; do
    usleep 20000
done
for port in /sys/class/virtio-ports/*; do
    ln -s "/dev/${port##*/}" "/ports/$(cat "$port/name")"
done

role=$(cat /vmtest/role)
echo "@@ $role up"
sh /script </dev/null
status=$?
echo "$role: $status" >/ports/status
dmesg >/ports/dmesg
# The console is to end with the script's words, not with those of devices.
dmesg -n 1
poweroff -f
# Where powering off does not work, QEMU ends at a reboot too.
reboot -f
