// SPDX-License-Identifier: GPL-2.0-only
//! The loaded module: the dumps so far, and the files that show them.

use devdump::{Limits, State, Store};
use kmem::NoMemory;

use crate::kernel::command_line::CommandLine;
use crate::kernel::device::Device;
use crate::kernel::environment::{self, OwnDumps};
use crate::kernel::error::{EINVAL, Errno};
use crate::kernel::log::log;
use crate::kernel::memory::{Arc, Global, KernelMemory};
use crate::kernel::mutex::{KernelLock, Lock, Mutex};
use crate::kernel::parameters::Parameters;
use crate::kernel::proc::{self, Entry, Which};
use crate::load::{self, Plan};
use crate::served::{Open, Served};

/// How often the new entry is tried at the one moment when the kernel's own is
/// gone, and how long to wait between. The one that was just removed left its
/// memory, and the entry of `/proc/vmcoredd` has just been made, so that the
/// first try should do.
const TRIES: usize = 100;
const PAUSE_MILLISECONDS: u32 = 10;

/// Parts of the memory that is available at load: what all dumps may take, what
/// may stand in `/proc/vmcore`, and what is left to others in any case.
const BUDGET: Part = Part(9, 16);
const INLINE: Part = Part(1, 8);
const LEFT_OVER: Part = Part(1, 16);
/// As [`BUDGET`], in a running system, which has more to do than to keep dumps.
const LIVE_BUDGET: Part = Part(1, 16);
/// The most bytes of notes that makedumpfile and vmcore-dmesg can read: they do it
/// with one `read()`.
const NOTES_MAX: u64 = 0x7fff_f000;

/// So many parts of so many.
#[derive(Clone, Copy)]
struct Part(u64, u64);

impl Part {
    const fn of(self, whole: u64) -> u64 {
        (whole / self.1).saturating_mul(self.0)
    }
}

/// Everything that the loaded module has.
pub struct Module {
    store: Arc<Store<KernelMemory>>,
    vmcore: Option<Vmcore>,
    vmcoredd: Arc<Served>,
    /// The entries in `/proc` and the device, once they are there.
    entries: Mutex<Entries>,
    parameters: Parameters,
    switched_off: bool,
    wants_dumps: bool,
}

/// `/proc/vmcore`.
struct Vmcore {
    served: Arc<Served>,
    /// The file without any dump, open, for whoever comes when there is no memory
    /// for more.
    plain: Arc<Open>,
}

#[derive(Default)]
struct Entries {
    vmcore: Option<Entry>,
    vmcoredd: Option<Entry>,
    device: Option<Device>,
}

/// The one module, while it is loaded.
static MODULE: Global<Module> = Global::empty();

impl Module {
    /// The loaded module.
    #[must_use]
    pub fn get() -> Option<Arc<Self>> {
        MODULE.get()
    }

    /// Loads the module: serves `/proc/vmcoredd`, and `/proc/vmcore` if there is
    /// no doubt that it is as good as the kernel's own. Sleeps.
    ///
    /// # Errors
    /// An errno for lack of memory; then nothing was changed.
    pub fn load() -> Result<(), Errno> {
        let command_line = CommandLine::read()?;
        if environment::panics_on_oops() {
            log!(Warning, "panic_on_oops is set: a collector that crashes ends this kernel");
        }
        let parameters = Parameters::read();
        let own_dumps = environment::own_dumps();
        let switched_off = switched_off_by(&parameters, own_dumps, &command_line);
        let plan = load::plan(&command_line, own_dumps, switched_off)?;
        let Plan { vmcore, vmcoredd, room, notes_size, compared } = plan;
        let switched_off = switched_off.is_some();
        let crash_kernel = environment::is_crash_kernel();
        let limits = limits(&parameters, crash_kernel, room, notes_size);
        let store = Arc::new(Store::new(limits)?)?;
        let plain = |served: Arc<Served>| {
            let plain = Served::open(&served, store.state())?;
            Ok::<_, Errno>(Vmcore { served, plain })
        };
        let module = Arc::new(Self {
            vmcore: vmcore.map(plain).transpose()?,
            vmcoredd,
            entries: Mutex::new(KernelLock::new(Lock::Entries)?, Entries::default()),
            wants_dumps: (crash_kernel || parameters.live) && !switched_off,
            parameters,
            switched_off,
            store,
        })?;
        MODULE.set(module.clone());
        if let Err(NoMemory) = module.create_entries(compared) {
            // SAFETY: the only error is that `/proc/vmcoredd` could not be created, so
            // that there is no file yet; and no module is linked to one that loads.
            unsafe { Self::unload() };
            return Err(NoMemory.into());
        }
        // Nothing else depends on it, so it comes last.
        match Device::create() {
            Ok(device) => module.entries.lock().device = Some(device),
            Err(errno) => log!(Warning, "/dev/vmcoredd is not there, ", errno),
        }
        Ok(())
    }

    /// Creates the entries in `/proc`; the kernel's own goes last of all, after so many
    /// pages were compared in so many milliseconds. Where it fails, there is none of ours.
    fn create_entries(&self, (pages, milliseconds): (u64, u64)) -> Result<(), NoMemory> {
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
                log!(
                    Info,
                    "/proc/vmcore takes device dumps, ",
                    pages,
                    " pages were compared in ",
                    milliseconds,
                    " ms"
                );
                return Ok(());
            }
            environment::sleep(PAUSE_MILLISECONDS);
        }
        log!(Error, "/proc/vmcore is lost: there is no memory for its entry");
        Ok(())
    }

    /// Unloads the module. Sleeps.
    ///
    /// # Safety
    /// Nobody uses the module, nor can again: its use count is 0 for good.
    pub unsafe fn unload() {
        // SAFETY: every entry from C that asks for the module holds its use count.
        if let Some(module) = unsafe { MODULE.take() } {
            *module.entries.lock() = Entries::default();
        }
    }

    /// Opens a file at this moment. `/proc/vmcore` opens without dumps when there is
    /// no memory for more.
    ///
    /// # Errors
    /// An errno for lack of memory.
    pub fn open(&self, which: Which) -> Result<Arc<Open>, Errno> {
        let state = self.store.state();
        match which {
            Which::Vmcoredd => Served::open(&self.vmcoredd, state),
            Which::Vmcore => {
                let vmcore = self.vmcore.as_ref().ok_or(EINVAL)?;
                Served::open(&vmcore.served, state).or_else(|errno| {
                    log!(Warning, "/proc/vmcore is opened without device dumps, ", errno);
                    Ok(vmcore.plain.clone())
                })
            }
        }
    }

    /// Whether no dump is taken.
    #[must_use]
    pub fn is_switched_off(&self) -> bool {
        self.switched_off
    }

    /// Whether drivers are to hand over dumps.
    #[must_use]
    pub fn wants_dumps(&self) -> bool {
        self.wants_dumps
    }

    /// What the operator set.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The dumps.
    #[must_use]
    pub fn store(&self) -> &Arc<Store<KernelMemory>> {
        &self.store
    }

    /// Shows the sizes that the files have now. Sleeps.
    pub fn update_sizes(&self) {
        let mut entries = self.entries.lock();
        let state: State<_> = self.store.state();
        let Entries { vmcore, vmcoredd, .. } = &mut *entries;
        let served = self.vmcore.as_ref().map(|vmcore| &vmcore.served);
        let files = [(vmcore.as_mut(), served), (vmcoredd.as_mut(), Some(&self.vmcoredd))];
        proc::set_sizes(files.map(|(entry, served)| Some((entry?, served?.size(&state)?))));
    }
}

/// What says that no dump is to be taken. A kernel that has device dumps of its own takes
/// `novmcoredd` for them, and distributions give it by default.
fn switched_off_by(
    parameters: &Parameters,
    own_dumps: OwnDumps,
    command_line: &CommandLine,
) -> Option<&'static str> {
    if parameters.off {
        Some("vmcoredd.off is set")
    } else if own_dumps == OwnDumps::Absent && command_line.has_novmcoredd() {
        Some("novmcoredd is given")
    } else {
        None
    }
}

/// What dumps may take, where the operator did not say: shares of the memory that is
/// available now.
fn limits(parameters: &Parameters, crash_kernel: bool, room: u64, notes_size: u64) -> Limits {
    let available = environment::memory_available();
    KernelMemory::leave(LEFT_OVER.of(available));
    let share = if crash_kernel { BUDGET } else { LIVE_BUDGET };
    let total = parameters.budget.unwrap_or_else(|| share.of(available));
    let inline = parameters.inline.unwrap_or_else(|| INLINE.of(available));
    // With the manifest, for which a quarter is more than enough.
    let inline = inline.min((NOTES_MAX - NOTES_MAX / 4).saturating_sub(notes_size));
    Limits { total, dump: parameters.dump.unwrap_or(total), inline, room }
}
