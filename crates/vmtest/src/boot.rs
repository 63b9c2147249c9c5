// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A script in a kernel that does not panic.

use crate::vm::{Run, Vm};
use crate::{Failure, Kernel, Result};

const ROLE: &str = "kernel";

/// Boots a kernel and runs a script in it; see [`Vm`] for what can be set.
pub type Boot = Vm<Normal>;

/// The mode of a [`Boot`].
#[derive(Debug)]
pub struct Normal(());

impl Boot {
    /// A run whose files are kept in `target/vmtest/<name>/`.
    pub fn new(kernel: &Kernel, name: &str) -> Self {
        Self::with_mode(kernel, name, Normal(()))
    }

    /// Sets the shell lines to run.
    pub fn script(self, lines: &str) -> Self {
        self.with_script(lines)
    }

    /// Boots the kernel and waits until it has powered off.
    pub fn run(self) -> Result<Run> {
        self.check_names()?;
        let files = self.run_files()?;
        let initrd = files.directory.join("initramfs.cpio");
        self.script_initramfs(ROLE)?.write(&initrd)?;
        self.append("loglevel=7").boot(files, &initrd, |report| match report.status(ROLE) {
            Some(0) => None,
            Some(status) => Some(Failure::Script(status)),
            None => Some(Failure::NoStatus),
        })
    }
}
