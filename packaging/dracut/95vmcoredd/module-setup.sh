#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR MIT
#
# dracut module: vmcoredd.ko, the command and the collectors, in the initramfs of a
# crash kernel. dracut calls these functions.

# Included by `dracut --add vmcoredd`, and in what kdump of RHEL and Fedora makes. mkdumprd
# exports IN_KDUMP; its own module is included later than this one is asked.
check() {
	require_binaries vmcoredd || return 1
	[[ ${IN_KDUMP-} ]] && return 0
	return 255
}

depends() {
	echo base
}

installkernel() {
	local module rest
	hostonly='' instmods vmcoredd
	while read -r module rest; do
		[[ -z $module || $module == '#'* ]] || hostonly='' instmods "$module"
	done < <(cat "${dracutsysrootdir-}/etc/vmcoredd/modules" 2>/dev/null)
}

install() {
	local collector file
	inst_multiple vmcoredd modprobe
	inst_simple /usr/lib/vmcoredd/crash-kernel
	# kdump of RHEL and Fedora saves /proc/vmcore, and runs what is in post.d after that.
	inst_simple /usr/lib/vmcoredd/kdump-post /etc/kdump/post.d/vmcoredd
	inst_multiple date sed cat mv sync
	inst_multiple -o zstd
	inst_multiple -o /etc/vmcoredd/vmcoredd.conf /etc/vmcoredd/modules
	for file in "${dracutsysrootdir-}"/etc/vmcoredd/profiles.d/*.kdl; do
		[[ ! -f $file ]] || inst_simple "${file#"${dracutsysrootdir-}"}"
	done
	for collector in "${dracutsysrootdir-}"/etc/vmcoredd/collect.d/*; do
		[[ -f $collector && -x $collector ]] || continue
		[[ ${collector##*/} != *[!A-Za-z0-9._-]* ]] || continue
		inst "${collector#"${dracutsysrootdir-}"}"
		while read -r file; do
			inst_multiple -o "$file"
		done < <(sed -n '1,20s/^# *vmcoredd-needs: *//p' "$collector" | tr ' ' '\n')
	done
	# Before udev, which loads drivers. dracut says where this module is.
	# shellcheck disable=SC2154
	inst_hook pre-udev 01 "$moddir/vmcoredd.sh"
}
