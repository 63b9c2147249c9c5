// SPDX-License-Identifier: GPL-2.0-only
//! The declarations of `shim.h`, generated from it.
#![allow(non_camel_case_types, reason = "the names of the kernel's structs")]

include!(concat!(env!("OUT_DIR"), "/shim.rs"));

check_entries!(crate::entry);
