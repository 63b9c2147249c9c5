# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=dash
#
# Runs after script.sh: device dumps, large and small ones.

end_to_end plain
for content in zeros adapter random; do
    add "large-$content" size="$LARGE" name="$content" content="$content"
    speed --label "large-$content" --part dumps --prefix "$content" --map /proc/vmcore
done
end_to_end dumps
there=0
for count in $COUNTS; do
    add "small-$count" size=1000 name=small first="$there" count=$((count - there))
    there=$count
    speed --label "small-$count" --part dumps --prefix small --map --random /proc/vmcore
done
for size in $SIZES; do
    add "size-$size" size="$size" name="of$size-" count=$((EACH_SIZE / size))
done
if [ -e /modules/costs.ko ]; then
    insmod /modules/costs.ko
fi
