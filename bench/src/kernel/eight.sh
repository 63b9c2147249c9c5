# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
#
# Eight adapters in a crash kernel that is not made for them: is the vmcore still saved?

[ ! -e /modules/vmcoredd.ko ] || insmod /modules/vmcoredd.ko
insmod /modules/adapters.ko count=8
if makedumpfile -l -d 31 -F /proc/vmcore >/ports/vmcore; then
    echo "eight/saved 1" >/ports/figures
else
    echo "eight/saved 0" >/ports/figures
fi
