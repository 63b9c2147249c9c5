// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Profiles, from their text to a device that was decoded.

mod converters;
mod decoding;
mod emulated;
mod errors;
mod expressions;
mod reading;
mod windows;

use plan::dump::Damage;
use profile::{Device, Library};

/// The devices of the register dump in `bytes`, by the profiles of `library`.
fn decode<'a>(
    bytes: &'a [u8],
    library: &mut Library,
) -> Result<impl Iterator<Item = Result<Device<'a>, Damage>>, Damage> {
    let mut decoded = |mut device: Device<'a>| {
        device.decode(library);
        device
    };
    Ok(profile::devices(bytes)?.map(move |device| device.map(&mut decoded)))
}
