// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Boots stock Debian kernels in QEMU, panics them and brings files back.
//!
//! A test of a kernel is a plain `#[test]` that happens to boot one. When it
//! fails, the error is one line that names the console log, and everything that
//! the run left stays in `target/vmtest/<name>/`.
//!
//! ```no_run
//! use vmtest::{Kernel, PanicCycle, Series};
//!
//! let kernel = Kernel::fetch(Series::V6_12)?;
//! let run = PanicCycle::new(&kernel, "saves-vmcore")
//!     .crash_script("cp /proc/vmcore /ports/vmcore")
//!     .port("vmcore")
//!     .run()?;
//! println!("saved as {}", run.port("vmcore").display());
//! # Ok::<(), vmtest::Error>(())
//! ```

#![deny(missing_docs)]
#![forbid(unsafe_code)]

mod apt;
mod architecture;
mod boot;
mod built;
mod command;
mod error;
mod flavour;
mod guest;
pub mod initramfs;
mod kernel;
mod monitor;
mod panic_cycle;
mod programs;
pub mod qemu;
mod series;
mod source;
mod tools;
mod vm;
mod workspace;

pub use architecture::Architecture;
pub use boot::Boot;
pub use error::{Error, Failure, Result};
pub use flavour::Flavour;
pub use guest::{guest_program, host_program, static_program};
pub use kernel::Kernel;
pub use monitor::Monitor;
pub use panic_cycle::{KexecCall, PanicCycle};
pub use programs::rust_sysroot;
pub use series::{Series, Suite};
pub use vm::{Run, Vm};
pub use workspace::target_dir;
