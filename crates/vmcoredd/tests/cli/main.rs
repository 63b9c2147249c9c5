// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The command, run as its users run it.

mod after;
mod attach;
mod baseline;
mod compressed;
mod damage;
mod decode;
mod diff;
mod doctor;
mod errors;
mod explain;
mod extract;
mod formats;
mod help;
mod info;
mod json;
mod list;
mod manifest;
mod output;
mod profile;
mod readelf;
mod run;
mod show;
mod stdout;
mod verify;
