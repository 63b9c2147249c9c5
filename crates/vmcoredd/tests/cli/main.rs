// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command, run as its users run it.

mod damage;
mod extract;
mod help;
mod list;
mod manifest;
mod readelf;
mod run;
