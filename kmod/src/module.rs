// SPDX-License-Identifier: GPL-2.0-only
//! The loaded module: the dumps so far, and the files that show them.

use devdump::{Dump, NoMemory, Store};
use vmcore::device_dump::Name;

use crate::kernel::command_line::CommandLine;
use crate::kernel::environment;
use crate::kernel::error::{EINVAL, ENOMEM, Errno};
use crate::kernel::global::Global;
use crate::kernel::log::log;
use crate::kernel::memory::{KernelMemory, Shared};
use crate::kernel::mutex::{Lock, Mutex};
use crate::kernel::proc::{self, Entry, Which};
use crate::load::{self, Plan};
use crate::served::{Open, Served};

/// How often the new entry is tried at the one moment when the kernel's own is
/// gone, and how long to wait between. The one that was just removed left its
/// memory, and the entry of `/proc/vmcoredd` has just been made, so that the
/// first try should do.
const TRIES: usize = 100;
const PAUSE_MILLISECONDS: u32 = 10;

/// Everything that the loaded module has.
pub struct Module {
    store: Mutex<Store<KernelMemory>>,
    vmcore: Option<Shared<Served>>,
    vmcoredd: Shared<Served>,
    /// The entries in `/proc`, once they are there.
    entries: Mutex<Entries>,
    switched_off: bool,
    /// How much memory dumps must leave available, in bytes.
    left_over: u64,
}

#[derive(Default)]
struct Entries {
    vmcore: Option<Entry>,
    vmcoredd: Option<Entry>,
}

/// The one module, while it is loaded.
static MODULE: Global<Module> = Global::empty();

impl Module {
    /// The loaded module.
    #[must_use]
    pub fn get() -> Option<Shared<Self>> {
        MODULE.get()
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
            store: Mutex::new(Lock::Store, Store::new(KernelMemory, room))?,
            vmcore,
            vmcoredd,
            entries: Mutex::new(Lock::Entries, Entries::default())?,
            switched_off: command_line.has_novmcoredd(),
            left_over: environment::memory_available() / 2,
        })?;
        MODULE.set(module.clone());
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
        environment::pin_module();
        proc::remove_kernels_vmcore();
        for _ in 0..TRIES {
            if let Ok(entry) = Entry::create(Which::Vmcore) {
                self.entries.lock().vmcore = Some(entry);
                self.update_sizes();
                log!(Info, "/proc/vmcore takes device dumps");
                return Ok(());
            }
            environment::sleep(PAUSE_MILLISECONDS);
        }
        log!(Error, "/proc/vmcore is lost: there is no memory for its entry");
        Ok(())
    }

    /// Unloads the module, when nobody uses it. Sleeps.
    pub fn unload() {
        if let Some(module) = MODULE.take() {
            *module.entries.lock() = Entries::default();
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

    /// Whether `bytes` more can be taken for dumps: half of the memory that was
    /// available when the module was loaded is for whoever saves the vmcore.
    ///
    /// # Errors
    /// [`ENOMEM`] when they cannot.
    pub fn afford(&self, bytes: u64) -> Result<(), Errno> {
        let needed = self.left_over.saturating_add(bytes);
        if environment::memory_available() >= needed { Ok(()) } else { Err(ENOMEM) }
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
        let mut entries = self.entries.lock();
        let table = self.store.lock().table().clone();
        let Entries { vmcore, vmcoredd } = &mut *entries;
        let files =
            [(vmcore.as_mut(), self.vmcore.as_ref()), (vmcoredd.as_mut(), Some(&self.vmcoredd))];
        for (entry, served) in files {
            let size = served.and_then(|served| served.size(&table));
            if let (Some(entry), Some(size)) = (entry, size) {
                entry.set_size(size);
            }
        }
    }
}
