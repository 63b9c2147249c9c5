// SPDX-License-Identifier: GPL-2.0-only
//! The loaded module: the dumps so far, and the files that show them.

use core::ptr::null_mut;
use core::sync::atomic::{AtomicPtr, Ordering};

use devdump::{Dump, NoMemory, Store};
use vmcore::device_dump::Name;

use crate::kernel::command_line::CommandLine;
use crate::kernel::error::{EINVAL, Errno};
use crate::kernel::log::log;
use crate::kernel::memory::{KernelMemory, Shared};
use crate::kernel::mutex::Mutex;
use crate::kernel::proc::{Entry, Which};
use crate::kernel::shim;
use crate::load::{self, Plan};
use crate::served::{Open, Served};

/// How often the new entry is tried when there is no memory for it at the one
/// moment when the kernel's own is gone already, and how long to wait between.
const TRIES: usize = 1000;
const PAUSE_MILLISECONDS: u32 = 10;
/// Everything that the loaded module has.
pub struct Module {
    store: Mutex<Store<KernelMemory>>,
    vmcore: Option<Shared<Served>>,
    vmcoredd: Shared<Served>,
    /// The entries in `/proc`, once they are there.
    entries: Mutex<Entries>,
    switched_off: bool,
}

#[derive(Default)]
struct Entries {
    vmcore: Option<Entry>,
    vmcoredd: Option<Entry>,
}

/// The one module: an owner that [`Shared::into_raw`] gave, or null before
/// loading and behind unloading, when nobody calls us.
static MODULE: AtomicPtr<core::ffi::c_void> = AtomicPtr::new(null_mut());

impl Module {
    /// The loaded module.
    #[must_use]
    pub fn get() -> Option<&'static Self> {
        let raw = MODULE.load(Ordering::Acquire);
        // SAFETY: not null means that it is an owner, which is given back only
        // in `unload`, when nobody uses the module.
        (!raw.is_null()).then(|| unsafe { Shared::borrow(raw) })
    }

    /// Loads the module: serves `/proc/vmcoredd`, and `/proc/vmcore` if there is
    /// no doubt that it is as good as the kernel's own. Sleeps.
    ///
    /// # Errors
    /// An errno for lack of memory; then nothing was changed.
    pub fn load() -> Result<(), Errno> {
        let command_line = CommandLine::read()?;
        let Plan { vmcore, vmcoredd, room } = load::plan(&command_line)?;
        let module = Shared::new(Self {
            store: Mutex::new(Store::new(KernelMemory, room))?,
            vmcore,
            vmcoredd,
            entries: Mutex::new(Entries::default())?,
            switched_off: command_line.has_novmcoredd(),
        })?;
        MODULE.store(module.clone().into_raw(), Ordering::Release);
        if let Err(NoMemory) = module.create_entries() {
            Self::unload();
            return Err(NoMemory.into());
        }
        Ok(())
    }

    /// Creates the entries in `/proc`; the kernel's own goes last of all.
    fn create_entries(&self) -> Result<(), NoMemory> {
        self.entries.lock().vmcoredd = Some(Entry::create(Which::Vmcoredd)?);
        self.update_sizes();
        if self.vmcore.is_none() {
            return Ok(());
        }
        // The kernel's own file cannot come back, so ours must not go.
        // SAFETY: may be called while the module is loaded or loading.
        unsafe { shim::shim_pin_module() };
        // SAFETY: all that serves ours is built.
        unsafe { shim::shim_proc_remove_kernels_vmcore() };
        for _ in 0..TRIES {
            if let Ok(entry) = Entry::create(Which::Vmcore) {
                self.entries.lock().vmcore = Some(entry);
                self.update_sizes();
                log!(Info, "/proc/vmcore takes device dumps");
                return Ok(());
            }
            // SAFETY: loading a module may sleep.
            unsafe { shim::shim_sleep(PAUSE_MILLISECONDS) };
        }
        log!(Error, "/proc/vmcore is lost: there is no memory for its entry");
        Ok(())
    }

    /// Unloads the module, when nobody uses it. Sleeps.
    pub fn unload() {
        if let Some(module) = Self::get() {
            *module.entries.lock() = Entries::default();
        }
        let raw = MODULE.swap(null_mut(), Ordering::AcqRel);
        if !raw.is_null() {
            // SAFETY: it is the owner that `load` put there, and was taken away
            // from there first.
            drop(unsafe { Shared::<Self>::from_raw(raw) });
        }
    }

    /// Opens a file with the dumps of this moment.
    ///
    /// # Errors
    /// An errno for lack of memory.
    pub fn open(&self, which: Which) -> Result<Open, Errno> {
        let table = self.store.lock().table().clone();
        let served = match which {
            Which::Vmcore => self.vmcore.as_ref().ok_or(EINVAL)?,
            Which::Vmcoredd => &self.vmcoredd,
        };
        Served::open(served, table)
    }

    /// Whether `novmcoredd` is given.
    #[must_use]
    pub fn is_switched_off(&self) -> bool {
        self.switched_off
    }

    /// Adds a dump; gives the name under which it was added. Sleeps.
    ///
    /// # Errors
    /// An errno when it does not fit; nothing was changed then.
    pub fn add(&self, dump: Dump<KernelMemory>) -> Result<Name, Errno> {
        let name = self.store.lock().add(dump)?;
        self.update_sizes();
        Ok(name)
    }

    fn update_sizes(&self) {
        let entries = self.entries.lock();
        let table = self.store.lock().table().clone();
        let files = [
            (entries.vmcore.as_ref(), self.vmcore.as_ref()),
            (entries.vmcoredd.as_ref(), Some(&self.vmcoredd)),
        ];
        for (entry, served) in files {
            let size = served.and_then(|served| served.size(&table));
            if let (Some(entry), Some(size)) = (entry, size) {
                entry.set_size(size);
            }
        }
    }
}
