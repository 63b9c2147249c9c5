// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Device dumps that processes make, or have the module make.
//!
//! `vmcoredd.ko` takes them through `/dev/vmcoredd`, which only root may open:
//!
//! ```no_run
//! use std::io::Write;
//!
//! use vmcoredd_producer::{Outcome, Producer};
//!
//! # fn main() -> std::io::Result<()> {
//! let mut producer = Producer::open()?;
//! producer.name(b"bmc-log", 0)?;
//! producer.write_all(b"what the management controller knows")?;
//! producer.commit(Outcome::Complete)
//! # }
//! ```
//!
//! What is not committed, of a process that dies, too, is discarded; the manifest
//! says that it was there. The interface is that of `kmod/include/vmcoredd_user.h`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::iter;
use std::path::Path;
use std::time::Duration;

use rustix::io::Errno;
use rustix::ioctl::{Opcode, Setter, ioctl, opcode};

/// The device.
pub const DEVICE: &str = "/dev/vmcoredd";
/// The longest name of a dump, in bytes.
pub const NAME_MAX: usize = 43;

/// `struct vmcoredd_name`; its byte order is that of the machine.
#[repr(C)]
struct Name {
    size: u64,
    name: [u8; NAME_MAX + 1],
    reserved: u32,
}

/// `VMCOREDD_IOC_NAME`
const IOC_NAME: Opcode = opcode::write::<Name>(0xdc, 0);
/// `VMCOREDD_IOC_COMMIT`
const IOC_COMMIT: Opcode = opcode::write::<i32>(0xdc, 1);

/// `VMCOREDD_IOC_DEVICES`
const IOC_DEVICES: Opcode = opcode::write::<Devices>(0xdc, 2);

/// `VMCOREDD_BUILT_IN`
const BUILT_IN: u32 = 1;
/// `VMCOREDD_TOUCHES`
const TOUCHES: u32 = 2;
/// `VMCOREDD_CLEARS`
const CLEARS: u32 = 4;
/// `VMCOREDD_ONLY`
const ONLY: u32 = 8;

/// `struct vmcoredd_devices`
#[repr(C)]
struct Devices {
    plans: u64,
    words: u64,
    plans_length: u32,
    words_length: u32,
    flags: u32,
    deadline_ms: u32,
}

/// Which devices the module is to read, and how.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Plans, one after the other, that come before those of the module; 1 MiB at most.
    pub plans: Vec<u8>,
    /// Names of profiles, of dumps, or slots of PCI functions as `0000:01:00.0`, 64 KiB at
    /// most with a zero byte after each. They are left out, or the only ones.
    pub words: Vec<String>,
    /// Whether the words are the only ones.
    pub only: bool,
    /// Whether devices are read by the plans of the module, too.
    pub built_in: bool,
    /// Whether windows of devices may be moved.
    pub touches: bool,
    /// Whether registers may be read that change by it.
    pub clears: bool,
    /// The time for one device, where it is not what the module finds right.
    pub deadline: Option<Duration>,
}

impl Request {
    /// Has the module read devices: each becomes a dump, and the manifest says what became
    /// of it.
    ///
    /// # Errors
    /// Those of `open()` for [`DEVICE`]; [`io::ErrorKind::PermissionDenied`] where the
    /// kernel is locked down and a plan is not one of the module's;
    /// [`io::ErrorKind::InvalidInput`] for what is no plan, or where dumps are switched off;
    /// [`io::ErrorKind::FileTooLarge`] and [`io::ErrorKind::OutOfMemory`].
    pub fn send(&self) -> io::Result<()> {
        self.send_to(Path::new(DEVICE))
    }

    /// The same, to the device at `path`.
    ///
    /// # Errors
    /// As [`Request::send`].
    pub fn send_to(&self, path: &Path) -> io::Result<()> {
        let device = OpenOptions::new().write(true).open(path)?;
        let words: Vec<u8> =
            self.words.iter().flat_map(|word| word.bytes().chain(iter::once(0))).collect();
        let flags = [
            (BUILT_IN, self.built_in),
            (TOUCHES, self.touches),
            (CLEARS, self.clears),
            (ONLY, self.only),
        ];
        let milliseconds = self.deadline.map_or(0, |deadline| deadline.as_millis().max(1));
        // What is longer than the fields can say is too long for the module.
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let devices = Devices {
            plans: self.plans.as_ptr().addr() as u64,
            words: words.as_ptr().addr() as u64,
            plans_length: length(&self.plans),
            words_length: length(&words),
            flags: flags.iter().filter(|(_, is)| *is).map(|(flag, _)| flag).sum(),
            deadline_ms: u32::try_from(milliseconds).unwrap_or(u32::MAX),
        };
        // SAFETY: the device reads a `Devices` after the pointer, and what it points to, as
        // much as it says, which lives until this returns; where this is another device,
        // whose driver knows the number, it is one that takes so many bytes.
        let done = unsafe { ioctl(&device, Setter::<IOC_DEVICES, Devices>::new(devices)) };
        done.map_err(io::Error::from)
    }
}

/// Whether what was written is all, and why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is all.
    Complete,
    /// The time for it was over.
    Deadline,
    /// An error with this number, above 0, as in [`io::Error::raw_os_error`].
    Error(i32),
    /// The command whose output it is ended with this status, above 0, as a shell gives
    /// it: 128 and the number of a signal where one killed it.
    Exit(u8),
}

impl Outcome {
    /// As `VMCOREDD_IOC_COMMIT` expects it.
    fn status(self) -> i32 {
        match self {
            Self::Complete => 0,
            Self::Deadline => -Errno::TIMEDOUT.raw_os_error(),
            Self::Error(number) => number.saturating_neg(),
            Self::Exit(status) => status.into(),
        }
    }
}

/// A dump that a process is making.
#[derive(Debug)]
pub struct Producer {
    device: File,
}

impl Producer {
    /// Opens [`DEVICE`].
    ///
    /// # Errors
    /// Those of `open()`: where the module is not loaded, [`io::ErrorKind::NotFound`].
    pub fn open() -> io::Result<Self> {
        Self::open_at(Path::new(DEVICE))
    }

    /// Opens the device at `path`.
    ///
    /// # Errors
    /// Those of `open()`.
    pub fn open_at(path: &Path) -> io::Result<Self> {
        Ok(Self { device: OpenOptions::new().write(true).open(path)? })
    }

    /// Names the dump, before anything is written; `size` is how many bytes it will be,
    /// or 0. A name that is taken gets a number, and bytes that no name may have are
    /// replaced.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] for a name that is empty or longer than
    /// [`NAME_MAX`], where dumps are switched off, and where `VMCOREDD_IOC_NAME` is
    /// something else to the device; [`io::ErrorKind::ResourceBusy`] for a second name;
    /// [`io::ErrorKind::OutOfMemory`].
    pub fn name(&mut self, name: &[u8], size: u64) -> io::Result<()> {
        let mut field = [0; NAME_MAX + 1];
        // A name that is too long fills it, so that the module refuses and records it.
        field.iter_mut().zip(name).for_each(|(to, from)| *to = *from);
        let name = Name { size, name: field, reserved: 0 };
        // SAFETY: the device reads a `Name` after the pointer; where this is another
        // one, whose driver knows the number, it is one that takes so many bytes.
        let done = unsafe { ioctl(&self.device, Setter::<IOC_NAME, Name>::new(name)) };
        done.map_err(io::Error::from)
    }

    /// Makes what was written a dump.
    ///
    /// # Errors
    /// When not all that was written is kept, the error that [`Write::write`] had;
    /// [`io::ErrorKind::InvalidInput`] when nothing was written, or there is no name.
    pub fn commit(self, outcome: Outcome) -> io::Result<()> {
        let status = outcome.status();
        // SAFETY: as above, for an `i32`.
        let done = unsafe { ioctl(&self.device, Setter::<IOC_COMMIT, i32>::new(status)) };
        done.map_err(io::Error::from)
    }
}

impl Write for Producer {
    /// Puts `bytes` after what was written before. Once it has failed it fails on every
    /// call: what was written before is kept, if it is committed.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.device.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;
    use std::process::{Command, Stdio};

    use super::*;

    /// As the C compiler reads the header.
    #[test]
    fn the_header_says_the_same() {
        let header = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kmod/include");
        let facts = [
            ("VMCOREDD_IOC_NAME", IOC_NAME.into()),
            ("VMCOREDD_IOC_COMMIT", IOC_COMMIT.into()),
            ("VMCOREDD_NAME_SIZE", NAME_MAX as u64 + 1),
            ("sizeof(struct vmcoredd_name)", size_of::<Name>() as u64),
            ("offsetof(struct vmcoredd_name, name)", offset_of!(Name, name) as u64),
            ("offsetof(struct vmcoredd_name, reserved)", offset_of!(Name, reserved) as u64),
            ("VMCOREDD_IOC_DEVICES", IOC_DEVICES.into()),
            ("VMCOREDD_BUILT_IN", BUILT_IN.into()),
            ("VMCOREDD_TOUCHES", TOUCHES.into()),
            ("VMCOREDD_CLEARS", CLEARS.into()),
            ("VMCOREDD_ONLY", ONLY.into()),
            ("sizeof(struct vmcoredd_devices)", size_of::<Devices>() as u64),
            ("offsetof(struct vmcoredd_devices, words)", offset_of!(Devices, words) as u64),
            (
                "offsetof(struct vmcoredd_devices, plans_length)",
                offset_of!(Devices, plans_length) as u64,
            ),
            (
                "offsetof(struct vmcoredd_devices, words_length)",
                offset_of!(Devices, words_length) as u64,
            ),
            ("offsetof(struct vmcoredd_devices, flags)", offset_of!(Devices, flags) as u64),
            (
                "offsetof(struct vmcoredd_devices, deadline_ms)",
                offset_of!(Devices, deadline_ms) as u64,
            ),
        ];
        let asserts = facts.map(|(fact, value)| {
            format!("_Static_assert({fact} == {value}ULL, \"expected {value}\");\n")
        });
        let source =
            format!("#include <stddef.h>\n#include \"vmcoredd_user.h\"\n{}", asserts.concat());
        let mut compiler = Command::new("cc")
            .args(["-Wall", "-Werror", "-fsyntax-only", "-x", "c", "-"])
            .arg("-I")
            .arg(header)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        compiler.stdin.take().unwrap().write_all(source.as_bytes()).unwrap();
        assert!(compiler.wait().unwrap().success(), "{source}");
    }

    #[test]
    fn outcomes_are_statuses() {
        let outcomes = [
            (Outcome::Complete, 0),
            (Outcome::Deadline, -110),
            (Outcome::Error(5), -5),
            (Outcome::Exit(137), 137),
        ];
        for (outcome, status) in outcomes {
            assert_eq!(outcome.status(), status, "{outcome:?}");
        }
    }

    #[test]
    fn another_device_is_refused() {
        let mut producer = Producer::open_at(Path::new("/dev/null")).unwrap();
        assert_eq!(producer.name(b"x", 0).unwrap_err().raw_os_error(), Some(25));
        let request = Request { words: vec!["x".to_owned()], ..Request::default() };
        let error = request.send_to(Path::new("/dev/null")).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(25));
    }
}
