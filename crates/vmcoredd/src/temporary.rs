// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that nobody finds before they are whole.
//!
//! Where the file system can (`O_TMPFILE`), such a file has no name, so that nothing is
//! left of it however the command ends. Elsewhere it is called `.vmcoredd-XXXXXX`, and
//! removed when a signal ends the command.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat, open};
use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level;
use tempfile::{Builder, TempPath};

/// What its user ends the command with.
const ENDING: [i32; 4] = [SIGHUP, SIGINT, SIGQUIT, SIGTERM];
/// Enough for the thread that waits for signals, in bytes.
const STACK: usize = 64 << 10;

/// The name of the temporary file, if it has one. Who takes or changes it holds the lock
/// meanwhile, so that a signal finds it as it is.
static NAME: Mutex<Option<TempPath>> = Mutex::new(None);

fn name() -> MutexGuard<'static, Option<TempPath>> {
    NAME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A new, empty file, which its owner alone may read and write. Without
/// [`keep`](Self::keep) it is gone in the end. There is one at a time.
#[derive(Debug)]
pub struct Temporary {
    file: File,
    folder: PathBuf,
}

impl Temporary {
    /// Creates it on the file system of `folder`.
    pub fn new(folder: &Path) -> io::Result<Self> {
        catch_signals()?;
        let folder = folder.to_owned();
        if let Some(file) = nameless(&folder) {
            return Ok(Self { file, folder });
        }
        let mut name = name();
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let (file, path) = random_name()
            .make_in(&folder, |path| Ok(File::from(open(path, flags, owner_alone())?)))?
            .into_parts();
        *name = Some(path);
        Ok(Self { file, folder })
    }

    pub fn file(&mut self) -> &mut File {
        &mut self.file
    }

    /// Has it take the name `target`, and the place of what has that name.
    ///
    /// A file without a name cannot take one that is taken: it gets a random one for as
    /// long as renaming takes. What kills the command just then leaves that, a whole file;
    /// while the file grows, which for a vmcore may be minutes, there is nothing to leave.
    pub fn keep(self, target: &Path) -> io::Result<()> {
        let mut name = name();
        let path = match name.take() {
            Some(path) => path,
            None => match link(&self.file, target) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    let named = random_name().make_in(&self.folder, |path| link(&self.file, path));
                    named?.into_temp_path()
                }
                done => return done,
            },
        };
        path.persist(target).map_err(|error| error.error)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        name().take();
    }
}

fn owner_alone() -> Mode {
    Mode::RUSR | Mode::WUSR
}

fn random_name() -> Builder<'static, 'static> {
    let mut builder = Builder::new();
    builder.prefix(".vmcoredd-");
    builder
}

/// A file in `folder` that has no name and can get one; `None` where there is none to be
/// had. Why, the file with a name will find, too, if that is not about names.
fn nameless(folder: &Path) -> Option<File> {
    let flags = OFlags::TMPFILE | OFlags::RDWR | OFlags::CLOEXEC;
    let file = File::from(open(folder, flags, owner_alone()).ok()?);
    // Its only way to a name; /proc need not be mounted.
    fs::symlink_metadata(path_of(&file)).is_ok().then_some(file)
}

fn path_of(file: &File) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

fn link(file: &File, path: &Path) -> io::Result<()> {
    Ok(linkat(CWD, path_of(file), CWD, path, AtFlags::SYMLINK_FOLLOW)?)
}

/// From now on a signal that ends the command removes the temporary file before.
fn catch_signals() -> io::Result<()> {
    static CAUGHT: Mutex<bool> = Mutex::new(false);
    let mut caught = CAUGHT.lock().unwrap_or_else(PoisonError::into_inner);
    if *caught {
        return Ok(());
    }
    // What nohup, or a shell that starts a job, had ignored remains ignored.
    let ignored = ignored_signals();
    let mut signals =
        Signals::new(ENDING.iter().filter(|signal| ignored >> (**signal - 1) & 1 == 0))?;
    let end = move || {
        if let Some(signal) = signals.forever().next() {
            // Held to the end: no other temporary file is made.
            let mut name = name();
            name.take();
            let _ = low_level::emulate_default_handler(signal);
        }
    };
    thread::Builder::new().stack_size(STACK).spawn(end)?;
    *caught = true;
    Ok(())
}

/// A bit for each signal that is ignored, the lowest one for signal 1 (proc(5), `SigIgn`);
/// 0 where that cannot be read.
fn ignored_signals() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
