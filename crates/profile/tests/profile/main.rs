// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Profiles, from their text to a device that was decoded.

mod converters;
mod decoding;
mod emulated;
mod errors;
mod expressions;
mod reading;
mod windows;
