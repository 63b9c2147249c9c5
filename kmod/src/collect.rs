// SPDX-License-Identifier: GPL-2.0-only
//! Taking a driver's dump: the outcome of every collection is in the log.

use devdump::{Dump, DumpWriter};
use vmcore::device_dump::{Name, NameError};

use crate::kernel::error::{EINVAL, Errno};
use crate::kernel::log::log;
use crate::kernel::memory::{Block, KernelMemory, Shared};
use crate::module::Module;

/// Why there is no dump.
pub enum Refusal {
    /// The driver asked for something that cannot be.
    Bad(&'static str),
    /// The driver's own collector failed.
    Failed(Errno),
    /// There is no place for what it collected.
    Kept(Errno),
}

impl Refusal {
    const fn errno(&self) -> Errno {
        match self {
            Self::Bad(_) => EINVAL,
            Self::Failed(errno) | Self::Kept(errno) => *errno,
        }
    }
}

impl From<NameError> for Refusal {
    fn from(error: NameError) -> Self {
        Self::Bad(error.message())
    }
}

impl<E: Into<Errno>> From<E> for Refusal {
    fn from(error: E) -> Self {
        Self::Kept(error.into())
    }
}

/// Lets `collect` write a dump and adds it. Sleeps.
///
/// # Errors
/// The errno that goes back to the driver; the reason is in the log.
pub fn collect(
    name: Result<Name, Refusal>,
    collect: impl FnOnce(&Shared<Module>, &Name) -> Result<Dump<KernelMemory>, Refusal>,
) -> Result<(), Errno> {
    let name = match name {
        Ok(name) => name,
        Err(refusal) => {
            report(&"a device dump", &refusal);
            return Err(refusal.errno());
        }
    };
    let added = module().and_then(|module| {
        let dump = collect(&module, &name)?;
        let length = dump.length();
        Ok((module.add(dump)?, length))
    });
    match added {
        Ok((name, length)) => {
            log!(Info, name, ": ", length, " bytes");
            Ok(())
        }
        Err(refusal) => {
            report(&name, &refusal);
            Err(refusal.errno())
        }
    }
}

fn module() -> Result<Shared<Module>, Refusal> {
    let module = Module::get().ok_or(Refusal::Bad("the module is not loaded yet"))?;
    if module.is_switched_off() {
        return Err(Refusal::Bad("novmcoredd is given"));
    }
    Ok(module)
}

fn report(what: &impl crate::kernel::log::Show, refusal: &Refusal) {
    match refusal {
        Refusal::Bad(reason) => log!(Warning, *what, " is refused: ", *reason),
        Refusal::Failed(errno) => log!(Warning, *what, " failed: its collector gave ", *errno),
        Refusal::Kept(errno) => log!(Warning, *what, " is lost: it cannot be kept, ", *errno),
    }
}

/// A dump of `size` bytes that `fill` leaves in one zero-filled buffer, which
/// is there only meanwhile.
///
/// # Errors
/// [`Refusal`].
pub fn in_one_buffer(
    module: &Module,
    name: &Name,
    size: u32,
    fill: impl FnOnce(&mut Block) -> Result<(), Errno>,
) -> Result<Dump<KernelMemory>, Refusal> {
    // The buffer, and what is kept of it.
    module.afford(u64::from(size) * 2)?;
    let mut buffer = Block::pages(size as usize)?;
    fill(&mut buffer).map_err(Refusal::Failed)?;
    let mut writer = DumpWriter::new(KernelMemory, *name)?;
    writer.write(&buffer)?;
    Ok(writer.finish()?)
}

/// What a collector that writes in pieces is given.
pub struct Writer {
    module: Shared<Module>,
    writer: DumpWriter<KernelMemory>,
    /// Of the first write that failed: the dump is not whole even if the
    /// collector did not look at what it returned.
    failed: Option<Errno>,
}

impl Writer {
    /// Puts `data` behind what was written before.
    ///
    /// # Errors
    /// An errno when it does not fit.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Errno> {
        let afforded = self.module.afford(data.len() as u64);
        let written = afforded.and_then(|()| Ok(self.writer.write(data)?));
        if let Err(errno) = written {
            self.failed.get_or_insert(errno);
        }
        written
    }
}

/// A dump that `write` writes in pieces.
///
/// # Errors
/// [`Refusal`].
pub fn in_pieces(
    module: &Shared<Module>,
    name: &Name,
    write: impl FnOnce(&mut Writer) -> Result<(), Errno>,
) -> Result<Dump<KernelMemory>, Refusal> {
    let writer = DumpWriter::new(KernelMemory, *name)?;
    let mut writer = Writer { module: module.clone(), writer, failed: None };
    let written = write(&mut writer);
    match writer.failed {
        // A collector hands on what a write gave it; that is not its own failure.
        Some(errno) => Err(Refusal::Kept(errno)),
        None => {
            written.map_err(Refusal::Failed)?;
            Ok(writer.writer.finish()?)
        }
    }
}
