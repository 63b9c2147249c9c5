// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What device dumps say.
//!
//! Whatever a dump holds is decoded into one [`model`]: a tree of named values, each with
//! its place in the dump, and findings, which are what is abnormal. Tables, JSON and
//! reports are views of it. Profiles are one source of it, decoders of formats the other.
//! They do no I/O, do not trust the bytes, and give a bounded number of values.
#![forbid(unsafe_code)]

pub mod model;
