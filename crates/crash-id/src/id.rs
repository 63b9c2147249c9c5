// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Ids of crashes and of machines.

use std::fmt;

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// What the ids of machines are made for, as `sd-id128(3)` has it: a number of this
/// application. It never changes.
const APPLICATION: [u8; 16] = [
    0x64, 0x30, 0x2b, 0x28, 0xaa, 0x05, 0x41, 0xfd, 0xad, 0xd1, 0x95, 0x52, 0x95, 0x82, 0xe0, 0xdb,
];
/// What is hashed, so that no hash of anything else is one of these.
const CRASH: &[u8] = b"vmcoredd crash id 1\0";
const FLEET: &[u8] = b"vmcoredd fleet id 1\0";

/// 128 bits, as 32 hexadecimal digits.
macro_rules! shown_as_digits {
    ($($name:ident)*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(to, "{byte:02x}"))
            }
        }
    )*};
}

shown_as_digits! { CrashId FleetId MachineId }

/// A crash, by what the dead kernel said of itself.
///
/// It is of VMCOREINFO alone, so it is the same for every file that was saved of a crash: an
/// ELF vmcore, a kdump-compressed dump of it, a copy of `/proc/vmcoredd`; and it is the same on
/// the machine that crashed and on an analyst's desk.
///
/// Two crashes of one machine differ in `CRASHTIME`, in seconds, and nearly always in where
/// KASLR put the kernel. Where neither differs, they have one id: with `nokaslr`, and a clock
/// that starts at the same time with each boot. So do crashes of two machines with the same
/// kernel, in the same second, at the same offset: [`FleetId`] tells these apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CrashId([u8; 16]);

impl CrashId {
    /// That of the crash whose VMCOREINFO is `text`, as far as it goes: from the first zero
    /// byte on it is fill. `None` where there is no text.
    #[must_use]
    pub fn of_vmcoreinfo(text: &[u8]) -> Option<Self> {
        let text = text.split(|byte| *byte == 0).next().filter(|text| !text.is_empty())?;
        Some(Self(hash(&[CRASH, text])))
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

/// A machine, by an id of its own that does not disclose `/etc/machine-id`.
///
/// It is what `systemd-id128 machine-id --app-specific=64302b28aa0541fdadd195529582e0db` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId([u8; 16]);

impl MachineId {
    /// The one of the machine whose `/etc/machine-id` has this text. `None` where that is not
    /// the id of a machine: 32 hexadecimal digits, not all zero.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_suffix('\n').unwrap_or(text);
        let is_id = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let key = u128::from_str_radix(text, 16).ok().filter(|id| is_id && *id != 0)?;
        let mut mac = Hmac::<Sha256>::new_from_slice(&key.to_be_bytes()).ok()?;
        mac.update(&APPLICATION);
        let mut id = first_half(&mac.finalize().into_bytes());
        // systemd marks what it derives as a UUID of version 4.
        id[6] = id[6] & 0x0f | 0x40;
        id[8] = id[8] & 0x3f | 0x80;
        Some(Self(id))
    }
}

/// A crash among those of many machines.
///
/// It can be computed where the machine's id is known: on the machine itself, and from
/// [`MachineId`] and [`CrashId`] by whoever has both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FleetId([u8; 16]);

impl FleetId {
    /// That of `crash` on `machine`.
    #[must_use]
    pub fn new(machine: MachineId, crash: CrashId) -> Self {
        Self(hash(&[FLEET, &machine.0, &crash.0]))
    }

    /// Its 16 bytes.
    #[must_use]
    pub const fn bytes(&self) -> [u8; 16] {
        self.0
    }
}

/// The first 128 bits of the SHA-256 over `parts`.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    first_half(&hash.finalize())
}

fn first_half(hash: &[u8]) -> [u8; 16] {
    let mut half = [0; 16];
    half.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    half
}
