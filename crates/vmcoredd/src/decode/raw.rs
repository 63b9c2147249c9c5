// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Dumps as tools of vendors read them.

use std::io::{self, Write};

use ::decode::model::Bytes;
use ::profile::{Segment, space_word};

/// Prints each register of a register dump as a line of its address and its value, in
/// hexadecimal, as mstdump does; above those of a space, where there are several, a line that
/// begins with `#` and names it. Other dumps are printed as they are.
pub fn print(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let Ok(devices) = ::profile::devices(bytes) else { return to.write_all(bytes) };
    let devices: Vec<_> = devices.flatten().collect();
    let mut spaces: Vec<_> = devices
        .iter()
        .flat_map(|device| device.segments.iter().map(move |segment| (device.about, segment)))
        .map(|(about, Segment { head, .. })| (about, head.space, head.index))
        .collect();
    spaces.dedup();
    let is_one = spaces.len() == 1;
    let mut last = None;
    for device in &devices {
        for Segment { head, bytes, .. } in &device.segments {
            let space = (device.about, head.space, head.index);
            if !is_one && last.replace(space) != Some(space) {
                let slot = ::decode::registers::slot(&device.about).unwrap_or_default();
                let name = space_word(head.space);
                writeln!(to, "# {slot} {name} {}", head.index)?;
            }
            let size = usize::from(head.width.bytes()).max(1);
            let whole = Bytes::new(bytes);
            let mut address = head.offset;
            for at in (0..bytes.len()).step_by(size) {
                let size = size.min(bytes.len() - at);
                let value = if head.big { whole.big(at, size) } else { whole.little(at, size) };
                let value = value.unwrap_or_default();
                writeln!(to, "{address:#010x} {value:#0digits$x}", digits = 2 * size + 2)?;
                address = address.wrapping_add(head.space.step(head.width));
            }
        }
    }
    Ok(())
}
