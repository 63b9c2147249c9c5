#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# usage: inside.sh ROOT DIRECTORY "PLACE..." COMMAND [ARGUMENT...]
#
# Runs a command in a root directory in which the places are as they are here. What is
# mounted goes with the process, which has mounts of its own.
set -e
root=$1 directory=$2 places=$3
shift 3
for place in $places; do
	mkdir -p "$root$place"
	mount --rbind "$place" "$root$place"
done
# Options come before variables, or they are variables, too.
exec chroot "$root" env --ignore-environment --chdir="$directory" LC_ALL=C \
	DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
