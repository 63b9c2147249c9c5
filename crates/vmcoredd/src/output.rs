// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that are written: whole, or not at all; and read by nobody who may not read what
//! they were made from.

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, fchown};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rustix::fs::{Mode, XattrFlags, fgetxattr, fremovexattr, fsetxattr, getxattr, listxattr};
use rustix::process::umask;
use signal_hook::consts::signal::SIGXFSZ;
use signal_hook::flag;

use crate::failure::Failure;
use crate::temporary::Temporary;

/// Where Linux has the access control list of a file.
const ACL: &str = "system.posix_acl_access";
/// The most bytes of an extended attribute, and of the names of all (`XATTR_SIZE_MAX`,
/// `XATTR_LIST_MAX`).
const ATTRIBUTE_MAX: usize = 1 << 16;

/// Has what exceeds the limit of the size of files (`ulimit -f`) fail, as on a full disk,
/// so that what was written is undone. By default the signal for it ends the command.
pub fn catch_limit() {
    // Without it, all else works.
    let _ = flag::register(SIGXFSZ, Arc::new(AtomicBool::new(false)));
}

/// What is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A new, empty file.
    NewFile,
    /// Something that takes bytes one after the other.
    Stream,
}

/// Has `fill` write to `output`, as its user named it: to a new file that takes its place
/// once it is whole, or, where that is a device or a pipe, to it. A link stays a link.
///
/// `inputs` are the files with kernel memory that `fill` reads, `-` being standard input:
/// none may be the output, and what of their permissions is not common to all, the new
/// file does not have.
pub fn write<T>(
    output: &Path,
    inputs: &[&Path],
    fill: impl FnOnce(&mut File, Target) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error| Failure::output(output, error);
    let inputs = Inputs::new(inputs);
    let Ok(existing) = Known::of(output) else {
        let access = Access::Copy { inputs, existing: None };
        return put_at(output, output, &access, |to| fill(to, Target::NewFile));
    };
    inputs.check_has_not(&existing.metadata, output)?;
    if existing.metadata.is_file() {
        let target = output.canonicalize().map_err(failed)?;
        let access = Access::Copy { inputs, existing: Some(existing) };
        return put_at_for_good(&target, output, &access, |to| fill(to, Target::NewFile));
    }
    // A device or a pipe cannot be replaced, only written.
    let mut file = OpenOptions::new().write(true).open(output).map_err(failed)?;
    fill(&mut file, Target::Stream)
}

/// As [`write`], to a path that its user did not name, as a device dump's name is part of
/// it: a file or a link is replaced, anything else is refused, and nothing is opened.
pub fn write_new<T>(
    output: &Path,
    inputs: &[&Path],
    fill: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let inputs = Inputs::new(inputs);
    let existing = match fs::symlink_metadata(output) {
        Ok(existing) => existing,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return put_at(output, output, &Access::Copy { inputs, existing: None }, fill);
        }
        Err(error) => return Err(Failure::output(output, error)),
    };
    inputs.check_has_not(&existing, output)?;
    let existing = if existing.is_file() {
        Some(Known::of(output).map_err(|error| Failure::output(output, error))?)
    } else if existing.is_symlink() {
        None
    } else {
        let found = if existing.is_dir() { "a directory" } else { "a device, pipe or socket" };
        return Err(Failure::NoFile { path: output.to_owned(), found });
    };
    put_at(output, output, &Access::Copy { inputs, existing }, fill)
}

/// Has `fill` write to a new file that takes the place of `output` once it is whole, with
/// its owner, permissions and attributes. A link stays a link: what it leads to is
/// replaced.
pub fn replace<T>(
    output: &Path,
    fill: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error| Failure::output(output, error);
    let existing = fs::metadata(output).map_err(failed)?;
    let target = output.canonicalize().map_err(failed)?;
    put_at_for_good(&target, output, &Access::InPlace { existing, path: &target }, fill)
}

/// Refuses to write to standard output where that is `input` itself, as by `>>`.
pub fn check_stdout_is_not(input: &Path) -> Result<(), Failure> {
    match of_descriptor(io::stdout()) {
        Some(stdout) if stdout.is_file() => {
            Inputs::new(&[input]).check_has_not(&stdout, "standard output".as_ref())
        }
        _ => Ok(()),
    }
}

fn of_descriptor(descriptor: impl AsFd) -> Option<Metadata> {
    File::from(descriptor.as_fd().try_clone_to_owned().ok()?).metadata().ok()
}

/// What is known of who may read a file.
struct Known {
    metadata: Metadata,
    /// It has an access control list, whose mask is in the mode where that of the group
    /// is otherwise.
    has_acl: bool,
}

impl Known {
    fn of(path: &Path) -> io::Result<Self> {
        let has_acl = getxattr(path, ACL, &mut [0; 0][..]).is_ok();
        Ok(Self { metadata: fs::metadata(path)?, has_acl })
    }

    fn of_stdin() -> Option<Self> {
        let has_acl = fgetxattr(io::stdin(), ACL, &mut [0; 0][..]).is_ok();
        Some(Self { metadata: of_descriptor(io::stdin())?, has_acl })
    }

    /// What this allows for a copy of it, `file`. What the group of another file may do is
    /// not for another group.
    fn allow(&self, file: &Metadata) -> u32 {
        let mode = self.metadata.mode() & 0o777;
        let is_of_group = self.metadata.gid() == file.gid() && !self.has_acl;
        if is_of_group { mode } else { without_group(mode) }
    }
}

/// The files that are read; `None` for one of which nothing is known any more.
struct Inputs(Vec<Option<Known>>);

impl Inputs {
    fn new(paths: &[&Path]) -> Self {
        let known = |path: &&Path| match *path == Path::new("-") {
            true => Known::of_stdin(),
            false => Known::of(path).ok(),
        };
        Self(paths.iter().map(known).collect())
    }

    /// Refuses to write what is read.
    fn check_has_not(&self, existing: &Metadata, output: &Path) -> Result<(), Failure> {
        let existing = (existing.dev(), existing.ino());
        let mut inputs = self.0.iter().flatten().map(|input| &input.metadata);
        if inputs.any(|input| (input.dev(), input.ino()) == existing) {
            return Err(Failure::OutputIsInput(output.to_owned()));
        }
        Ok(())
    }

    /// What they allow for `file`, which is made of them.
    fn allow(&self, file: &Metadata) -> u32 {
        let of = |input: &Known| {
            let kind = input.metadata.file_type();
            // What comes out of a pipe may have been anybody's.
            if kind.is_file() || kind.is_block_device() { input.allow(file) } else { 0o600 }
        };
        self.0.iter().fold(0o666, |mode, input| mode & input.as_ref().map_or(0o600, of))
    }
}

/// Who may read what is written.
enum Access<'a> {
    /// It is made of these, and takes the place of that file.
    Copy { inputs: Inputs, existing: Option<Known> },
    /// It is that file, changed.
    InPlace { existing: Metadata, path: &'a Path },
}

impl Access<'_> {
    /// Whether the new file replaces another one.
    fn takes_a_place(&self) -> bool {
        !matches!(self, Self::Copy { existing: None, .. })
    }

    /// Lets those read `file`, which only its owner can read so far, whom it is for.
    fn give(&self, file: &File) -> io::Result<()> {
        // It may have come from the folder, and is for files that all may read.
        let _ = fremovexattr(file, ACL);
        let mode = match self {
            Self::Copy { inputs, existing: None } => {
                let mask = umask(Mode::empty());
                umask(mask);
                inputs.allow(&file.metadata()?) & !mask.bits()
            }
            Self::Copy { inputs, existing: Some(existing) } => {
                let file = file.metadata()?;
                inputs.allow(&file) & existing.allow(&file)
            }
            Self::InPlace { existing, path } => {
                // Whoever may write here need not be allowed to give files away, unless
                // to a group of theirs.
                if fchown(file, Some(existing.uid()), Some(existing.gid())).is_err() {
                    let _ = fchown(file, None, Some(existing.gid()));
                }
                // Without its list, the middle digit of the mode would be the group's.
                let lacks_acl = !copy_attributes(path, file);
                let existing = Known { metadata: existing.clone(), has_acl: lacks_acl };
                existing.allow(&file.metadata()?)
            }
        };
        file.set_permissions(Permissions::from_mode(mode))
    }
}

/// Returns `mode` with no more rights for the group than for everybody.
fn without_group(mode: u32) -> u32 {
    mode & (0o707 | (mode & 0o007) << 3)
}

/// Copies the access control list, the label and the user's attributes of the file at
/// `path` as far as that is allowed; whether `to` has the list now, if there is one.
fn copy_attributes(path: &Path, to: &File) -> bool {
    let mut names = vec![0; ATTRIBUTE_MAX];
    let length = listxattr(path, &mut names[..]).unwrap_or_default();
    let mut value = vec![0; ATTRIBUTE_MAX];
    let mut has_acl = true;
    for name in names.get(..length).unwrap_or_default().split(|byte| *byte == 0) {
        if name != ACL.as_bytes() && name != b"security.selinux" && !name.starts_with(b"user.") {
            continue;
        }
        let copied = getxattr(path, name, &mut value[..]).and_then(|length| {
            let value = value.get(..length).unwrap_or_default();
            fsetxattr(to, name, value, XattrFlags::empty())
        });
        has_acl &= copied.is_ok() || name != ACL.as_bytes();
    }
    has_acl
}

/// Puts a file in the place of `target`; errors call it `output`.
fn put_at<T>(
    target: &Path,
    output: &Path,
    access: &Access<'_>,
    fill: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let failed = |error| Failure::output(output, error);
    let mut temporary = Temporary::new(folder_of(target)).map_err(failed)?;
    let filled = fill(temporary.file())?;
    access.give(temporary.file()).map_err(failed)?;
    if access.takes_a_place() {
        // What was there is gone once its name is the new file's, even if all of that is
        // still in memory. Of thousands that are new, each would wait for the disk.
        temporary.file().sync_all().map_err(failed)?;
    }
    temporary.keep(target).map_err(failed)?;
    Ok(filled)
}

/// As [`put_at`]; when this is done, the name leads to the new file on disk, too.
fn put_at_for_good<T>(
    target: &Path,
    output: &Path,
    access: &Access<'_>,
    fill: impl FnOnce(&mut File) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let filled = put_at(target, output, access, fill)?;
    // Whoever may write there need not be allowed to list what there is.
    if let Ok(folder) = File::open(folder_of(target)) {
        match folder.sync_all() {
            // Not all file systems can do that.
            Err(error) if error.kind() != ErrorKind::InvalidInput => {
                return Err(Failure::output(output, error));
            }
            _ => {}
        }
    }
    Ok(filled)
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."))
}
