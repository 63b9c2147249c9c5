// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The store and its snapshots, against files made by another hand.

mod budget;
mod file;
mod given;
#[path = "../host/mod.rs"]
mod host;
mod memory;
mod naive;
mod names;
mod outcome;
mod reading;
