# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
#
# What the first kernel of a panic cycle runs as its script.

status=0
kexec -p "$(cat /crash/call)" /crash/vmlinuz --initrd=/crash/initramfs.cpio \
    --command-line="$(cat /crash/args)" || status=$?
echo "kexec: $status" >/ports/status
[ "$status" -eq 0 ]
echo "@@ crash kernel loaded"

sh /before_panic || status=$?
echo "before_panic: $status" >/ports/status
[ "$status" -eq 0 ]
echo c >/proc/sysrq-trigger
