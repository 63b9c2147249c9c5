// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The profiles that there are: those of this project, and the operator's.

/// The profiles that are built in, each with its name and text, in the order of the names.
pub const BUILT_IN: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/builtin.rs"));
