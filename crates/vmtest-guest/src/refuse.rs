// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A vmcore can be looked at and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::Path;

use rustix::io::Errno;
use rustix::mm::{MapFlags, MprotectFlags, ProtFlags};

use crate::elf::{Core, page_size};
use crate::error::{Error, Result};
use crate::mapping::Mapping;

const SHARINGS: [(&str, MapFlags); 2] =
    [("shared", MapFlags::SHARED), ("private", MapFlags::PRIVATE)];

pub fn refuse(path: &Path) -> Result<String> {
    let mut core = Core::open(path)?;
    let mut faults = Vec::new();
    mappings(&core.file, &mut faults);
    changed_protections(&core.file, &mut faults).map_err(Error::file("mmap", path, 0))?;
    writing(path, &mut faults);
    file_end(&mut core, &mut faults)?;
    let metadata = core.file.metadata();
    let mode = metadata.map_err(Error::file("stat", path, 0))?.permissions();
    if mode.mode() & 0o7777 != 0o400 {
        faults.push(format!("the mode is {:o}, not 400", mode.mode() & 0o7777));
    }
    if faults.is_empty() {
        return Ok("refuse: ok\n".to_owned());
    }
    Err(Error::NotRefused { path: path.to_path_buf(), faults })
}

fn mappings(read_only: &File, faults: &mut Vec<String>) {
    for (sharing_name, sharing) in SHARINGS {
        // Where the file is not open for writing, the kernel itself refuses to
        // map it writable and shared before the driver is asked.
        let write: &[Errno] = match sharing_name {
            "shared" => &[Errno::ACCESS],
            _ => &[Errno::PERM],
        };
        for (what, protection, expected) in [
            ("writable", ProtFlags::READ | ProtFlags::WRITE, write),
            ("executable", ProtFlags::READ | ProtFlags::EXEC, &[Errno::PERM]),
        ] {
            let mapped = map_first_page(read_only, protection, sharing).map(drop);
            let what = format!("a {what} {sharing_name} mapping");
            faults.extend(fault(&what, mapped, expected));
        }
    }
}

fn changed_protections(file: &File, faults: &mut Vec<String>) -> std::result::Result<(), Errno> {
    for (sharing_name, sharing) in SHARINGS {
        for (what, protection) in [
            ("writable", MprotectFlags::READ | MprotectFlags::WRITE),
            ("executable", MprotectFlags::READ | MprotectFlags::EXEC),
        ] {
            let mapping = map_first_page(file, ProtFlags::READ, sharing)?;
            let what = format!("making a {sharing_name} mapping {what}");
            faults.extend(fault(&what, mapping.protect(protection), &[Errno::ACCESS]));
        }
    }
    Ok(())
}

/// The superuser may open a file for writing whatever its mode is; then the
/// writes must fail.
fn writing(path: &Path, faults: &mut Vec<String>) {
    let Ok(file) = OpenOptions::new().read(true).write(true).open(path) else {
        return;
    };
    if file.write_at(&[0], 0).is_ok() {
        faults.push("writing a byte is granted".to_owned());
    }
    let writable = ProtFlags::READ | ProtFlags::WRITE;
    let mapped = map_first_page(&file, writable, MapFlags::SHARED).map(drop);
    let what = "a writable shared mapping of the file open for writing";
    faults.extend(fault(what, mapped, &[Errno::PERM]));
}

fn file_end(core: &mut Core, faults: &mut Vec<String>) -> Result<()> {
    let end = core.end_of_file()?;
    let sought = core.file.seek(SeekFrom::End(0));
    let sought = sought.map_err(Error::file("seek", &core.path, 0))?;
    if sought != end {
        faults.push(format!("SEEK_END gives {sought:#x}, reading ends at {end:#x}"));
    }
    Ok(())
}

fn map_first_page(
    file: &File,
    protection: ProtFlags,
    sharing: MapFlags,
) -> std::result::Result<Mapping, Errno> {
    Mapping::new(file, 0, page_size() as usize, protection, sharing)
}

fn fault(what: &str, done: std::result::Result<(), Errno>, expected: &[Errno]) -> Option<String> {
    match done {
        Ok(()) => Some(format!("{what} is granted")),
        Err(error) if expected.contains(&error) => None,
        Err(error) => Some(format!("{what} fails with {error}, not {}", expected[0])),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn an_ordinary_file_refuses_little() {
        let path = sample::file("refuse", 0);
        let error = refuse(&path).unwrap_err().to_string();
        for granted in [
            "a writable private mapping is granted",
            "making a private mapping writable is granted",
            "writing a byte is granted",
            "a writable shared mapping of the file open for writing is granted",
            "the mode is",
        ] {
            assert!(error.contains(granted), "{granted}: {error}");
        }
        assert!(!error.contains("SEEK_END"), "{error}");
        assert!(!error.contains("a writable shared mapping is"), "{error}");
    }
}
