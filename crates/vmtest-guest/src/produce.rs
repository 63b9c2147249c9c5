// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What a process may do to `/dev/vmcoredd`, and what is refused.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rustix::io::Errno;
use rustix::ioctl::{IntegerSetter, NoArg, ioctl};
use rustix::mm::{MapFlags, ProtFlags};

use crate::elf::page_size;
use crate::error::{Error, Result};
use crate::mapping::Mapping;

/// The numbers of `vmcoredd_user.h`.
const NAME: u32 = 0x4038_dc00;
const COMMIT: u32 = 0x4004_dc01;
/// A number that means nothing to it.
const OTHER: u32 = 0xdc02;

/// Where in the argument of `NAME` the name and the reserved field start.
const NAME_AT: usize = 8;
const RESERVED_AT: usize = 52;
const NAME_SIZE: usize = 44;

type Done = std::result::Result<(), Errno>;

struct Device {
    file: File,
}

impl Device {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().write(true).open(path);
        Ok(Self { file: file.map_err(Error::file("open", path, 0))? })
    }

    fn name(&self, name: &[u8], size: u64, reserved: u32) -> Done {
        let mut argument = [0; 56];
        argument[..NAME_AT].copy_from_slice(&size.to_le_bytes());
        argument[NAME_AT..][..name.len().min(NAME_SIZE)].copy_from_slice(name);
        argument[RESERVED_AT..].copy_from_slice(&reserved.to_le_bytes());
        self.call::<NAME>(argument.as_ptr().addr())
    }

    fn commit(&self, status: i32) -> Done {
        let argument = status.to_le_bytes();
        self.call::<COMMIT>(argument.as_ptr().addr())
    }

    fn call<const NUMBER: u32>(&self, argument: usize) -> Done {
        // SAFETY: the device only reads what the argument points to, and checks where that is.
        unsafe { ioctl(&self.file, IntegerSetter::<NUMBER>::new_usize(argument)) }
    }

    fn write(&mut self, bytes: &[u8]) -> Done {
        errno(self.file.write_all(bytes))
    }
}

fn errno<T>(done: io::Result<T>) -> Done {
    match done {
        Ok(_) => Ok(()),
        Err(error) => Err(Errno::from_io_error(&error).unwrap_or(Errno::IO)),
    }
}

/// Tries everything on the device `path`.
pub fn produce(path: &Path) -> Result<String> {
    let mut faults = Vec::new();
    let mut expect = |what: &str, done: Done, expected: Done| {
        if done != expected {
            faults.push(format!("{what}: {done:?}, not {expected:?}"));
        }
    };
    const INVALID: Done = Err(Errno::INVAL);

    let both = OpenOptions::new().read(true).write(true).open(path);
    expect("opening for both", errno(both), INVALID);

    let mut device = Device::open(path)?;
    expect("writing without a name", device.write(b"x"), INVALID);
    expect("a commit without a name", device.commit(0), INVALID);
    expect("a name from nowhere", device.call::<NAME>(8), Err(Errno::FAULT));
    expect("a reserved field", device.name(b"reserved", 0, 1), INVALID);
    expect("no name", device.name(b"", 0, 0), INVALID);
    expect("a long name", device.name(&[b'n'; NAME_SIZE], 0, 0), INVALID);
    expect("a name", device.name(b"produced", 0, 0), Ok(()));
    expect("a second name", device.name(b"again", 0, 0), Err(Errno::BUSY));
    expect("seeking", errno(device.file.seek(SeekFrom::Start(0))), Err(Errno::SPIPE));
    expect("reading", errno(device.file.read(&mut [0])), Err(Errno::BADF));
    let mapped =
        Mapping::new(&device.file, 0, page_size() as usize, ProtFlags::READ, MapFlags::SHARED)
            .map(drop);
    expect("mapping", mapped, Err(Errno::ACCESS));
    // SAFETY: there is no such operation.
    let other = unsafe { ioctl(&device.file, NoArg::<OTHER>::new()) };
    expect("another operation", other, Err(Errno::NOTTY));
    expect("writing", device.write(b"pro"), Ok(()));
    expect("writing nothing", device.write(b""), Ok(()));
    expect("writing more", device.write(b"duced"), Ok(()));
    expect("a commit from nowhere", device.call::<COMMIT>(8), Err(Errno::FAULT));
    expect("status 256", device.commit(256), INVALID);
    expect("status -4096", device.commit(-4096), INVALID);
    expect("a commit", device.commit(0), Ok(()));
    expect("a second commit", device.commit(0), INVALID);
    expect("a name after it", device.name(b"after", 0, 0), Err(Errno::BUSY));
    expect("writing after it", device.write(b"x"), INVALID);
    drop(device);

    let named = |name: &[u8], size| -> Result<(Device, Done)> {
        let device = Device::open(path)?;
        let done = device.name(name, size, 0);
        Ok((device, done))
    };
    for (name, status) in [("errno", -5), ("deadline", -110), ("exit", 3)] {
        let (mut device, done) = named(name.as_bytes(), 0)?;
        expect(name, done, Ok(()));
        expect(name, device.write(name.as_bytes()), Ok(()));
        expect(name, device.commit(status), Ok(()));
    }
    let (device, done) = named(b"empty", 0)?;
    expect("naming nothing", done, Ok(()));
    expect("a commit of nothing", device.commit(0), INVALID);
    let (mut device, done) = named(b"shorter", 100)?;
    expect("declaring more", done, Ok(()));
    expect("writing less", device.write(b"less"), Ok(()));
    expect("a commit of less", device.commit(0), Ok(()));
    let (mut device, _) = named(b"discarded", 0)?;
    expect("what is discarded", device.write(&[1; 100_000]), Ok(()));
    drop(device);

    faulting(path, named(b"faulting", 0)?.0, &mut expect)?;
    within_itself(path, named(b"itself", 0)?.0, &mut expect)?;

    if faults.is_empty() {
        return Ok("produce: ok\n".to_owned());
    }
    Err(Error::NotRefused { path: path.to_path_buf(), faults })
}

/// Bytes that are not there: a mapping beyond the end of its file.
fn faulting(
    path: &Path,
    mut device: Device,
    expect: &mut impl FnMut(&str, Done, Done),
) -> Result<()> {
    let short = Path::new("/tmp/short");
    let failed = |error: io::Error| Error::file("map", short, 0)(error);
    fs::write(short, vec![2; page_size() as usize]).map_err(failed)?;
    let file = File::open(short).map_err(failed)?;
    let mapping =
        Mapping::new(&file, 0, 2 * page_size() as usize, ProtFlags::READ, MapFlags::SHARED);
    let mapping = mapping.map_err(Error::file("map", path, 0))?;
    expect("what is there", device.write(b"there"), Ok(()));
    expect("what is not there", mapping.write_to(&device.file).map(drop), Err(Errno::FAULT));
    expect("anything then", device.write(b"x"), Err(Errno::FAULT));
    expect("a commit then", device.commit(0), Err(Errno::FAULT));
    Ok(())
}

/// The dumps so far, as the device shows them, in pages that are filled meanwhile.
fn within_itself(
    path: &Path,
    device: Device,
    expect: &mut impl FnMut(&str, Done, Done),
) -> Result<()> {
    let mut reader = File::open(path).map_err(Error::file("open", path, 0))?;
    let end = reader.seek(SeekFrom::End(0)).map_err(Error::file("seek", path, 0))?;
    let mapping = Mapping::new(&reader, 0, end as usize, ProtFlags::READ, MapFlags::PRIVATE);
    let mapping = mapping.map_err(Error::file("map", path, 0))?;
    let written = mapping.write_to(&device.file);
    expect("the file itself", written.map(drop), Ok(()));
    let all = if written == Ok(end as usize) { Ok(()) } else { Err(Errno::IO) };
    expect("all of it", all, Ok(()));
    expect("a commit of the file itself", device.commit(0), Ok(()));
    Ok(())
}
