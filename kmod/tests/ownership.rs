// SPDX-License-Identifier: GPL-2.0-only
//! Whose a collector is, however its thread ends: the module's own code, with threads and
//! memory of the host.

mod host;

use std::ffi::c_int;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use devdump::{Collection, Ending, Limits, Store};
use host::hardware::Function;
use kmem::NoMemory;
use plan::code::{Address, Instruction};
use plan::device::Options;
use plan::place::{Place, Space, Width};
use plan::plan::{About, Kind, Match};
use vmcore::device_dump::Name;
use vmcore::manifest::{Reason, Record, Renamed, Status};
use vmcoredd_kmod::entry::rust_write;
use vmcoredd_kmod::hardware::Target;
use vmcoredd_kmod::job::{Collector, Held, Job};
use vmcoredd_kmod::kernel::memory::{self, KernelMemory};
use vmcoredd_kmod::kernel::pci::PciDevice;
use vmcoredd_kmod::kernel::request::Request;
use vmcoredd_kmod::kernel::shim;
use vmcoredd_kmod::kernel::thread::Owner;
use vmcoredd_kmod::reading::Reading;

/// What a driver knows of its collector.
#[derive(Default)]
struct Seen {
    called: AtomicUsize,
    released: AtomicUsize,
}

impl Seen {
    /// How many times it was called and released.
    fn counts(&self) -> (usize, usize) {
        (self.called.load(SeqCst), self.released.load(SeqCst))
    }
}

/// A driver's data, which its release function frees.
struct Data {
    seen: Arc<Seen>,
    does: Does,
}

enum Does {
    Returns(c_int),
    Crashes,
    /// Waits for the test twice.
    IsLate(Arc<Barrier>),
}

unsafe extern "C" fn collect(
    data: *mut shim::vmcoredd_collector,
    writer: *mut shim::vmcoredd_writer,
) -> c_int {
    // SAFETY: it is the data of this collector, which is not released yet.
    let data = unsafe { &*data.cast::<Data>() };
    assert_eq!(data.seen.released.load(SeqCst), 0, "released before it was called");
    data.seen.called.fetch_add(1, SeqCst);
    // SAFETY: the writer is ours until we return.
    let written = unsafe { rust_write(writer, b"registers".as_ptr().cast(), 9) };
    assert_eq!(written, 0);
    match &data.does {
        Does::Returns(errno) => *errno,
        Does::Crashes => host::crash(),
        Does::IsLate(barrier) => {
            barrier.wait();
            barrier.wait();
            // SAFETY: as above; the writer was taken away, which is an error only.
            assert_ne!(unsafe { rust_write(writer, b"late".as_ptr().cast(), 4) }, 0);
            0
        }
    }
}

unsafe extern "C" fn release(data: *mut shim::vmcoredd_collector) {
    // SAFETY: it is a box of `collector`, and is released once.
    let data = unsafe { Box::from_raw(data.cast::<Data>()) };
    data.seen.released.fetch_add(1, SeqCst);
}

fn collector(does: Does) -> (Collector, Arc<Seen>) {
    let seen = Arc::<Seen>::default();
    let data = Box::into_raw(Box::new(Data { seen: seen.clone(), does })).cast();
    // SAFETY: there is no module, and `collect` and `release` are as they must be.
    let collector = unsafe {
        Collector::new(Owner::new(null_mut()), collect, Held::new(Some(release), data), 0, 0)
    };
    (collector, seen)
}

fn start() -> Collection<KernelMemory> {
    let limits = Limits { total: 1 << 30, dump: 1 << 30, inline: 1 << 30, room: 1 << 30 };
    let store = memory::Arc::new(Store::new(limits).unwrap()).unwrap();
    Collection::start(&store, &Name::new(b"nic").unwrap(), Renamed::default(), 0)
}

/// The job of a collector, whose end gives a record.
fn carry_out(collector: Collector, limit: Option<u32>) -> Record {
    let collection = start();
    let job = Job::collector(collector, collection.writer(None).unwrap()).unwrap();
    let ending = Job::carry_out(&job, limit);
    let writer = job.take_writer();
    drop(job);
    collection.end(writer, ending)
}

/// A plan that reads the first base address register of any function, 32 bits at once.
fn plan() -> memory::Block {
    let place = Place::new(Space::Bar, 0, Width::W32);
    let address = Address::constant(0);
    let code = [
        Instruction::Set { to: 0, value: host::hardware::BAR_SIZE },
        Instruction::Read { block: 0, place, address, length: 0 },
        Instruction::End,
    ];
    let mut name = [0; 32];
    name[..4].copy_from_slice(b"test");
    let about = About { name, version: 1, most: 1 << 20, digest: [0; 32] };
    let header = about.header(1, 0, code.len()).unwrap();
    let wanted = Match { vendor: Some(0x1234), ..Match::any(Kind::Pci) };
    let code: Vec<u8> = code.iter().flat_map(|instruction| instruction.to_bytes()).collect();
    let bytes = [&header[..], &wanted.to_bytes(), &code].concat();
    let mut block = memory::Block::new(bytes.len()).unwrap();
    block.copy_from_slice(&bytes);
    block
}

/// Reads the function of the host by [`plan()`].
fn read(function: &'static Function) -> Record {
    host::hardware::found(function);
    let request = Request {
        plans: plan(),
        words: memory::Block::new(0).unwrap(),
        built_in: false,
        only: false,
        options: Options::default(),
        deadline: None,
    };
    let mut targets = memory::Vec::new();
    let found = PciDevice::all().unwrap().pop().unwrap();
    targets.push((Target::Pci(found), false)).unwrap();
    let request = memory::Arc::new(request).unwrap();
    let reading = Reading::new(&request, 0, targets, 1000);
    drop(request);
    let collection = start();
    let job = Job::reading(reading, collection.writer(None).unwrap()).unwrap();
    let ending = Job::carry_out(&job, None);
    let writer = job.take_writer();
    drop(job);
    collection.end(writer, ending)
}

/// What is counted of a function is of one test at a time.
static TURN: Mutex<()> = Mutex::new(());

#[test]
fn a_function_that_was_read_is_given_back() {
    let _turn = TURN.lock();
    static FUNCTION: Function = Function::new();
    let function = &FUNCTION;
    let record = read(function);
    assert_eq!((record.status, record.reason), (Status::Complete, None));
    assert!(u64::from(record.length) > host::hardware::BAR_SIZE);
    assert_eq!(function.references.load(SeqCst), 0);
    assert_eq!(function.mappings.load(SeqCst), 0);
}

#[test]
fn a_function_that_is_not_read_is_given_back() {
    let _turn = TURN.lock();
    static FUNCTION: Function = Function::new();
    let function = &FUNCTION;
    host::refuse_threads();
    let record = read(function);
    assert_eq!(record.status, Status::Failed);
    assert_eq!(function.references.load(SeqCst), 0);
}

/// What a crash leaves on its stack is lost; what it wrote is not.
#[test]
fn what_was_read_before_a_crash_is_kept() {
    let _turn = TURN.lock();
    static FUNCTION: Function = Function::new();
    let function = &FUNCTION;
    function.crashes.store(true, SeqCst);
    let record = read(function);
    assert_eq!((record.status, record.reason), (Status::Partial, Some(Reason::Crashed)));
    assert!((0x1000..0x2000).contains(&record.length), "{record:?}");
    assert_eq!(function.mappings.load(SeqCst), 1);
}

#[test]
fn one_that_returns_was_called_and_released_once() {
    for (errno, status) in [(0, Status::Complete), (-5, Status::Partial)] {
        let (collector, seen) = collector(Does::Returns(errno));
        let record = carry_out(collector, None);
        assert_eq!((record.status, record.length), (status, 9));
        assert_eq!(seen.counts(), (1, 1));
    }
}

#[test]
fn one_that_cannot_be_started_is_released() {
    let (collector, seen) = collector(Does::Returns(0));
    host::refuse_threads();
    let record = carry_out(collector, None);
    assert_eq!(record.reason, Some(Reason::NotStarted(-shim::SHIM_EBUSY.cast_signed())));
    assert_eq!(seen.counts(), (0, 1));
}

#[test]
fn one_without_memory_for_its_job_is_released() {
    // Whichever allocation fails.
    let refused = (0..).take_while(|allocations| {
        let (collector, seen) = collector(Does::Returns(0));
        let writer = start().writer(None).unwrap();
        host::refill(*allocations);
        let refused = Job::collector(collector, writer).err() == Some(NoMemory);
        host::refill(u32::MAX);
        // Where it was made, it is dropped: released without a call as well.
        assert_eq!(seen.counts(), (0, 1));
        refused
    });
    assert!(refused.count() > 0);
}

#[test]
fn one_that_is_not_carried_out_is_released_with_its_job() {
    let (collector, seen) = collector(Does::Returns(0));
    let job = Job::collector(collector, start().writer(None).unwrap()).unwrap();
    assert_eq!(seen.counts(), (0, 0));
    drop(job);
    assert_eq!(seen.counts(), (0, 1));
}

#[test]
fn one_that_crashes_is_lost_with_its_stack() {
    let (collector, seen) = collector(Does::Crashes);
    let record = carry_out(collector, None);
    assert_eq!((record.reason, record.length), (Some(Reason::Crashed), 9));
    assert_eq!(seen.counts(), (1, 0));
}

#[test]
fn one_that_is_late_is_released_when_it_ends() {
    let barrier = Arc::new(Barrier::new(2));
    let (collector, seen) = collector(Does::IsLate(barrier.clone()));
    let writes = barrier.clone();
    let waits = thread::spawn(move || writes.wait());
    let record = carry_out(collector, Some(300));
    waits.join().unwrap();
    assert_eq!((record.reason, record.length), (Some(Reason::Deadline), 9));
    assert_eq!(seen.counts(), (1, 0));
    barrier.wait();
    while seen.counts() == (1, 0) {
        thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(seen.counts(), (1, 1));
    // Until its thread has dropped the job.
    thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_job_that_ended_calls_nobody_again() {
    let (collector, seen) = collector(Does::Returns(0));
    let job = Job::collector(collector, start().writer(None).unwrap()).unwrap();
    assert_eq!(Job::carry_out(&job, None), Ending::Returned(0));
    assert_ne!(Job::carry_out(&job, None), Ending::Returned(0));
    assert_eq!(seen.counts(), (1, 1));
}

/// Faults that `scripts/sanitize` puts in, to see that they are found.
mod fault {
    use super::*;

    fn data() -> *mut shim::vmcoredd_collector {
        let seen = Arc::<Seen>::default();
        Box::into_raw(Box::new(Data { seen, does: Does::Returns(0) })).cast()
    }

    #[test]
    #[ignore = "it is wrong"]
    fn doubled_release() {
        let data = data();
        // SAFETY: none: the second one has nothing to release.
        unsafe { (0..2).for_each(|_| drop(Held::new(Some(release), data))) };
    }

    #[test]
    #[ignore = "it is wrong"]
    fn use_after_free() {
        let data = data();
        // SAFETY: none: the collector is called after it was released.
        let (held, late) = unsafe { (Held::new(Some(release), data), Held::new(None, data)) };
        drop(held);
        // SAFETY: as above.
        let collector = unsafe { Collector::new(Owner::new(null_mut()), collect, late, 0, 0) };
        carry_out(collector, None);
    }

    #[test]
    #[ignore = "it is wrong"]
    fn leak() {
        // SAFETY: there is nothing to release, which is the fault.
        drop(unsafe { Held::new(None, data()) });
        std::hint::black_box([null_mut::<u8>(); 100]);
    }
}
