# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
#
# What is measured in a crash kernel; each figure is a line `<name> <number>`. With the C
# implementation all is in /proc/vmcore from the start; ours is loaded when what the
# kernel does by itself is known.

figures=/ports/figures

speed() {
    vmtest-guest speed "$@" >>$figures
}

# In KiB. Pages that a processor keeps for itself are counted nowhere else.
available() {
    echo 3 >/proc/sys/vm/drop_caches
    sleep 0.2
    kept=$(awk '$1 == "count:" { sum += $2 } END { print 4 * sum }' /proc/zoneinfo)
    echo $(($(awk '/^MemAvailable/ { print $2 }' /proc/meminfo) + kept))
}

# add LABEL PARAMETER...: what the dumps take of the memory, and of the time.
add() {
    label=$1
    shift
    before=$(available)
    insmod /modules/adapters.ko "$@"
    after=$(available)
    echo "$label/held $(((before - after) * 1024))" >>$figures
    for what in added_ns collected_ns; do
        echo "$label/$what $(cat /sys/module/adapters/parameters/$what)" >>$figures
    done
    rmmod adapters
}

# end_to_end LABEL: the tools that save a vmcore.
# shellcheck disable=SC2129 # each tool is measured by itself
end_to_end() {
    vmtest-guest run --label "$1/makedumpfile" -- \
        makedumpfile -l -d 31 -F /proc/vmcore >>$figures
    vmtest-guest run --label "$1/cp" -- /usr/bin/cp /proc/vmcore /dev/null >>$figures
    vmtest-guest run --label "$1/dd" -- \
        /usr/bin/dd if=/proc/vmcore of=/dev/null bs=1M >>$figures
}

insmod /modules/plain.ko
speed --label plain /proc/plain
if [ -e /modules/vmcoredd.ko ]; then
    speed --label own --part memory --mib "$MEMORY_MIB" --map --random /proc/vmcore
    before=$(available)
    vmtest-guest load --label load /modules/vmcoredd.ko >>$figures
    echo "load/held $(((before - $(available)) * 1024))" >>$figures
    dmesg | sed -n 's/.* \([0-9]*\) pages were compared in \([0-9]*\) ms$/\1 \2/p' |
        while read -r pages ms; do
            printf 'load/compared_pages %s\nload/compared_ms %s\n' "$pages" "$ms" >>$figures
        done
fi
speed --label memory --part memory --mib "$MEMORY_MIB" --map --random /proc/vmcore
