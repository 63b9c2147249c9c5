# SPDX-License-Identifier: GPL-2.0-only OR MIT
# shellcheck shell=bash
#
# What the scripts here have in common: commands inside of the machine's root,
# which is in $root.
# shellcheck disable=SC2154 # they set it

# What is mounted here is seen by nobody else, and gone when this ends.
[[ -n ${OWN_MOUNTS-} ]] || OWN_MOUNTS=y exec unshare --mount --propagation private "$0" "$@"

# The tree that this is in.
# shellcheck disable=SC2034 # who sources this uses it
source=$(realpath "$(dirname "${BASH_SOURCE[0]}")/../..")

inside() {
	DEBIAN_FRONTEND=noninteractive chroot "$root" "$@"
}

# Makes $root a place to run commands in, of which none starts a service.
enter() {
	mount -t proc proc "$root/proc"
	# Devices of its own: whatever happens to this directory, those of the host are safe.
	mount -t tmpfs -o mode=755 tmpfs "$root/dev"
	local device
	for device in null:3 zero:5 full:7 random:8 urandom:9; do
		mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
	done
	ln -s /proc/self/fd "$root/dev/fd"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
}

# The package with the headers that a meta package is for now: kernels from 7 on depend on
# others, too.
headers_of() {
	# shellcheck disable=SC2016 # for dpkg-query
	inside dpkg-query -W -f '${Depends}' "$1" | grep -o 'linux-headers-[0-9][^ ,]*'
}
