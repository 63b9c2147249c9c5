// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! cxgb4, the driver that mainline has device dumps for, collects two adapters that
//! are made of memory. As it is in the kernel's source, its collector crashes, and
//! what it had collected is kept; repaired, it collects all that there is.

use std::fs;
use std::path::PathBuf;

use decode::cudbg::Cudbg;
use decode::model::{Decoded, Decoder, Node, Severity, Value};
use system_tests::chelsio::{self, Chip, Image};
use system_tests::cudbg::{self, Collection, NOT_FOUND, SYSTEM_ERROR, word};
use system_tests::{
    Error, InTreeDriver, Modules, OnEachKernel, Result, fault, module_log, names, outcome, payload,
    rearranged, root, write,
};
use vmtest::{Kernel, PanicCycle, Run, Series};

const CHIPS: [Chip; 2] = [Chip::T6, Chip::T5];
const NAMES: [&str; 2] = ["cxgb4_10000:00:00.4", "cxgb4_10000:00:01.4"];
/// What the driver asks for: a header, a table, and 32 MiB.
const SIZE: usize = 33_558_232;
/// What the driver tries to collect, but for the flash memory.
const ENTITIES: usize = 52;
/// How many it gets before it crashes.
const BEFORE_THE_CRASH: usize = 24;

/// What there is not of these adapters, with [`cudbg::Entity`]'s errors. A logic
/// analyser of memory never answers.
const NOT_THERE: [(u32, i32, i32); 5] = [
    (cudbg::CIM_LA, SYSTEM_ERROR, ETIMEDOUT),
    (cudbg::EDC1, SYSTEM_ERROR, NOT_FOUND),
    (cudbg::MC0, SYSTEM_ERROR, NOT_FOUND),
    (cudbg::MC1, SYSTEM_ERROR, NOT_FOUND),
    (cudbg::HMA, SYSTEM_ERROR, NOT_FOUND),
];
/// What no T5 has.
const NOT_IN_T5: [(u32, i32, i32); 2] =
    [(cudbg::MA_INDIRECT, NOT_FOUND, 0), (cudbg::HMA_INDIRECT, NOT_FOUND, 0)];
const ETIMEDOUT: i32 = -110;

/// What the driver has written by the time it reads the registers: it has moved the
/// memory window of function 4 along the firmware's log, and asked the flash memory
/// for its identity.
const DRIVERS_OWN: [(u32, u32); 2] =
    [(chelsio::PCIE_MEM_ACCESS_OFFSET_WIN0, 0x1_0004), (chelsio::SF_DATA, 0x9f)];

/// Where the adapters are.
const BASE: u32 = 0x3e00_0000;
const RESERVED: &str = "memmap=2M$0x3e000000";

/// What the dead kernel leaves in a register.
fn left(adapter: usize) -> u32 {
    0xdead_0000 + adapter as u32
}

/// An adapter when the kernel has panicked.
fn image(adapter: usize) -> Image {
    let mut image = Image::new(CHIPS[adapter]);
    image.set(chelsio::SGE_CONTROL, left(adapter));
    image
}

/// How the driver is built.
#[derive(Debug, Clone, Copy)]
enum Driver {
    AsItIs,
    WorkedAround,
    Patched,
}

impl Driver {
    fn build(self, kernel: &Kernel, modules: &Modules) -> Result<PathBuf> {
        // The cloud flavour is configured without it.
        let driver = InTreeDriver::new("drivers/net/ethernet/chelsio/cxgb4")
            .variable("CONFIG_CHELSIO_T4=m")
            .cflag("-DCONFIG_CHELSIO_T4_MODULE=1");
        let driver = match self {
            Self::AsItIs => driver,
            Self::WorkedAround => {
                let header = root().join("tests/modules/cxgb4/netif_running.h");
                driver
                    .build_name("cxgb4-worked-around")
                    .variable(&format!("CFLAGS_cudbg_lib.o=-include {}", header.display()))
            }
            Self::Patched => driver.build_name("cxgb4-patched").patch(root().join(
                "drivers/cxgb4/0001-cxgb4-fix-NULL-pointer-dereference-in-kdump-kernel.patch",
            )),
        };
        driver.build(kernel, modules)
    }
}

struct Saved {
    run: Run,
    vmcore: PathBuf,
}

fn panic(series: Series, driver: Driver) -> Result<Saved> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let name = format!("cxgb4-{driver:?}-{series}");
    let directory = vmtest::target_dir().join("adapters").join(&name);
    let memory = directory.join("memory");
    let images = CHIPS.map(Image::new);
    write(&memory, &images.each_ref().map(Image::bytes).concat())?;

    let mut before_panic = String::new();
    for adapter in 0..CHIPS.len() {
        let register = BASE + (adapter * chelsio::SIZE) as u32 + chelsio::SGE_CONTROL;
        before_panic += &format!("devmem {register:#x} 32 {:#x}\n", left(adapter));
    }
    let devices = CHIPS.map(|chip| chip.device().to_string()).join(",");
    let inline_kib = CHIPS.len() * SIZE.div_ceil(1024);
    let script = format!(
        "
        insmod /modules/vmcoredd.ko inline_kib={inline_kib}
        insmod /modules/softadapter.ko base={BASE} device={devices}
        insmod /modules/tls.ko
        insmod /modules/cxgb4.ko
        makedumpfile -E -d 31 -F /proc/vmcore >/ports/vmcore
        "
    );
    let run = modules
        .add_to(PanicCycle::new(&kernel, &name).memory_mib(1024).crashkernel_mib(192))
        .append(RESERVED)
        .qemu_arg("-device")
        .qemu_arg(format!("loader,file={},addr={BASE:#x},force-raw=on", memory.display()))
        .file(modules.test_module("softadapter")?, "/modules/softadapter.ko")
        .file(kernel.module("tls")?, "/modules/tls.ko")
        .file(driver.build(&kernel, &modules)?, "/modules/cxgb4.ko")
        .program("/usr/bin/makedumpfile")
        .port("vmcore")
        .before_panic(&before_panic)
        .crash_script(&script)
        .run()?;
    let stream = run.port("vmcore");
    let vmcore = rearranged(stream, &directory)?;
    // It is large, and nobody needs both.
    fs::remove_file(stream).map_err(|error| Error::File { path: stream.to_owned(), error })?;
    Ok(Saved { run, vmcore })
}

static AS_IT_IS: OnEachKernel<Saved> = OnEachKernel::new(|series| panic(series, Driver::AsItIs));
static WORKED_AROUND: OnEachKernel<Saved> =
    OnEachKernel::new(|series| panic(series, Driver::WorkedAround));

/// The registers and the firmware's log are those that the dead kernel left.
fn check_registers_and_log(collection: &Collection<'_>, adapter: usize) {
    let image = image(adapter);
    let registers = collection.entity(cudbg::REG_DUMP).unwrap().content().unwrap();
    let mut different = Vec::new();
    let mut same = 0;
    for address in (0..registers.len() as u32).step_by(4) {
        // Zeros are what the driver does not read.
        match word(&registers, address as usize) {
            0 => (),
            value if value == image.register(address) => same += 1,
            value => different.push((address, value)),
        }
    }
    assert_eq!(different, DRIVERS_OWN, "{different:x?}");
    assert!(same > 10_000, "{same}");
    let control = word(&registers, chelsio::SGE_CONTROL as usize);
    assert_eq!(control, left(adapter), "{control:#x}");
    let log = collection.entity(cudbg::DEV_LOG).unwrap().content().unwrap();
    assert!(log == image.log());
}

/// What the decoder says of a dump, which knows nothing of [`Collection`].
fn decoded(adapter: usize, bytes: &[u8]) -> Decoded {
    let decoder = Cudbg;
    assert!(decoder.recognises(NAMES[adapter], bytes));
    let mut all = decoder.decode(NAMES[adapter], bytes);
    assert_eq!(all.len(), 1);
    let decoded = all.remove(0);
    assert_eq!(decoded.title, format!("Chelsio {:?} adapter", CHIPS[adapter]));
    assert_eq!(decoded.slot.as_deref(), NAMES[adapter].strip_prefix("cxgb4_"));
    assert_eq!(decoded.damage, None);
    decoded
}

fn node<'a>(decoded: &'a Decoded, path: &[&str]) -> &'a Node {
    let first = decoded.nodes.iter().find(|node| node.name == path[0]);
    first.and_then(|node| node.find(&path[1..])).unwrap_or_else(|| panic!("no {path:?}"))
}

/// Registers and logs are decoded to what the dead kernel left, under their public names.
fn check_decoded_registers_and_logs(decoded: &Decoded, adapter: usize) {
    let image = image(adapter);
    let mut different = Vec::new();
    let mut same = 0;
    for register in &node(decoded, &["REG_DUMP"]).children {
        let address = register.address.unwrap() as u32;
        match register.unsigned().unwrap() as u32 {
            value if value == image.register(address) => same += 1,
            value => different.push((address, value)),
        }
    }
    assert_eq!(different, DRIVERS_OWN, "{different:x?}");
    assert!(same > 10_000, "{same}");
    for (name, address) in [
        ("SGE_CONTROL", chelsio::SGE_CONTROL),
        ("SGE_INT_CAUSE3", 0x103c),
        ("PCIE_FW", 0x30b8),
        ("MA_EDRAM0_BAR", 0x77c0),
        ("CIM_HOST_INT_CAUSE", 0x7b2c),
        ("TP_OUT_CONFIG", 0x7d04),
        ("MPS_INT_CAUSE", 0x9008),
        ("PL_WHOAMI", 0x1_9400),
        ("LE_DB_CONFIG", 0x1_9c04),
    ] {
        let register = node(decoded, &["REG_DUMP", name]);
        assert_eq!(register.address, Some(address.into()), "{name}");
        assert_eq!(register.unsigned(), Some(image.register(address).into()), "{name}");
    }
    let worst = decoded.findings.first().unwrap();
    assert_eq!(worst.severity, Severity::Fatal);
    assert_eq!(worst.text, "the firmware has given up: it crashed");

    let log = &node(decoded, &["DEV_LOG"]).children;
    assert_eq!(log.len(), chelsio::LOG_USED);
    for (number, entry) in log.iter().enumerate() {
        let message = Value::Text(chelsio::log_message(CHIPS[adapter], number as u32));
        assert_eq!(entry.value, Some(message), "{number}");
        let of = |name: &str| entry.find(&[name]).and_then(Node::unsigned).unwrap();
        let number = number as u32;
        assert_eq!((of("SEQNO"), of("TIMESTAMP")), (number.into(), chelsio::log_time(number)));
    }
}

/// How many entities there are, each of which can be read.
fn readable(collection: &Collection<'_>) -> usize {
    let there = collection.entities.iter().filter(|entity| entity.is_there());
    let contents = there.map(|entity| entity.content().unwrap());
    contents.filter(|content| !content.is_empty()).count()
}

/// The payloads of both adapters' dumps, each as long as the driver said.
fn payloads(saved: &Saved) -> [Vec<u8>; 2] {
    assert_eq!(names(&saved.vmcore).unwrap(), NAMES);
    NAMES.map(|name| {
        let bytes = payload(&saved.vmcore, name).unwrap();
        assert_eq!(bytes.len(), SIZE, "{name}");
        bytes
    })
}

/// What the manifest says of both dumps: status and reason.
fn records(saved: &Saved) -> Vec<(Option<kdumpfile::Status>, Option<String>)> {
    let dump = kdumpfile::Dump::open(&saved.vmcore).unwrap();
    let manifest = dump.manifest().unwrap().unwrap();
    let reason = |reason| String::from_utf8_lossy(reason).into_owned();
    manifest.records().map(|record| (record.status(), record.reason().map(reason))).collect()
}

fn what_it_collects_before_it_crashes_is_kept(series: Series) {
    let saved = AS_IT_IS.get(series);
    for (adapter, bytes) in payloads(saved).iter().enumerate() {
        let collection = Collection::read(bytes).unwrap();
        assert_eq!(collection.length, 0, "the driver has not come to its end");
        check_registers_and_log(&collection, adapter);
        assert_eq!(readable(&collection), BEFORE_THE_CRASH);
        let of_no_use = collection.entities.iter().filter(|entity| !entity.is_there());
        let of_no_use: Vec<(u32, i32)> =
            of_no_use.map(|entity| (entity.number, entity.error)).collect();
        assert_eq!(of_no_use, [(cudbg::CIM_LA, SYSTEM_ERROR), (cudbg::SGE_INDIRECT, 0)]);
        let decoded = decoded(adapter, bytes);
        let all = BEFORE_THE_CRASH + of_no_use.len();
        assert_eq!(decoded.headline, Some(format!("{BEFORE_THE_CRASH} of {all} entities")));
        check_decoded_registers_and_logs(&decoded, adapter);
        let stopped = "the driver did not finish this dump: it stopped in SGE_INDIRECT";
        assert!(decoded.findings.iter().any(|finding| finding.text == stopped));
    }
    let crashed = (Some(kdumpfile::Status::Partial), Some("its collector crashed".to_owned()));
    assert_eq!(records(saved), [crashed.clone(), crashed]);
}

fn the_machine_goes_on_after_it_crashed(series: Series) {
    let saved = AS_IT_IS.get(series);
    let dmesg = saved.run.dmesg();
    assert_eq!(dmesg.matches("BUG: kernel NULL pointer dereference").count(), 2, "{dmesg}");
    assert_eq!(dmesg.matches("Call Trace:").count(), 2, "{dmesg}");
    assert!(dmesg.contains("RIP: 0010:cudbg_collect_sge_indirect+"), "{dmesg}");
    let said: Vec<&str> = module_log(dmesg)[1..].iter().map(|line| outcome(line)).collect();
    let partial = |name| format!("{name}: partial, its collector crashed, {SIZE} bytes");
    assert_eq!(said, NAMES.map(partial), "{dmesg}");
    for name in NAMES {
        let (_, device) = name.split_once('_').unwrap();
        for goes_on in ["Fail collecting vmcore device dump, err: -14", "could not connect to FW"] {
            assert!(dmesg.contains(&format!("cxgb4 {device}: {goes_on}")), "{goes_on}: {dmesg}");
        }
    }
    // The memory of the dead kernel was saved after the dumps.
    let saved = fs::metadata(&saved.vmcore).unwrap().len();
    assert!(saved > (2 * SIZE + (16 << 20)) as u64, "{saved}");
}

fn all_is_there(saved: &Saved) {
    for (adapter, bytes) in payloads(saved).iter().enumerate() {
        let chip = CHIPS[adapter];
        let collection = Collection::read(bytes).unwrap();
        assert_eq!((collection.version, collection.chip), ((1, 14), chip.version()));
        assert_eq!(collection.entities.len(), ENTITIES);
        let mut not_there = NOT_THERE.to_vec();
        if chip == Chip::T5 {
            not_there.extend(NOT_IN_T5);
            not_there.sort_unstable();
        }
        let failed = collection.entities.iter().filter(|entity| !entity.is_there());
        let failed: Vec<(u32, i32, i32)> =
            failed.map(|entity| (entity.number, entity.error, entity.system_error)).collect();
        assert_eq!(failed, not_there, "{chip:?}");
        assert_eq!(readable(&collection), ENTITIES - not_there.len());

        let end = collection.entities.iter().map(|entity| entity.end).max();
        assert_eq!(end, Some(collection.length as usize));
        assert!(bytes[collection.length as usize..].iter().all(|byte| *byte == 0));
        check_registers_and_log(&collection, adapter);
        let image = image(adapter);
        let memory = collection.entity(cudbg::EDC0).unwrap().content().unwrap();
        assert!(
            memory.len() == 1 << 20 && memory.chunks(64 << 10).all(|part| part == image.window())
        );
        let product = collection.entity(cudbg::VPD_DATA).unwrap().content().unwrap();
        assert!(product.starts_with(b"PT00112233\0"), "{product:x?}");

        let decoded = decoded(adapter, bytes);
        let good = ENTITIES - not_there.len();
        assert_eq!(decoded.headline, Some(format!("{good} of {ENTITIES} entities")));
        assert_eq!(decoded.missing.len(), not_there.len(), "{:#?}", decoded.missing);
        check_decoded_registers_and_logs(&decoded, adapter);
        let serial = Value::Text("PT00112233".to_owned());
        assert_eq!(node(&decoded, &["VPD_DATA", "SN"]).value, Some(serial));
    }
    assert_eq!(
        records(saved),
        [(Some(kdumpfile::Status::Complete), None), (Some(kdumpfile::Status::Complete), None)]
    );
    let dmesg = saved.run.dmesg();
    let said: Vec<&str> = module_log(dmesg)[1..].iter().map(|line| outcome(line)).collect();
    assert_eq!(said, NAMES.map(|name| format!("{name}: complete, {SIZE} bytes")));
    assert_eq!(fault(dmesg), None);
}

fn worked_around_it_collects_all(series: Series) {
    all_is_there(WORKED_AROUND.get(series));
}

system_tests::on_each_kernel! {
    what_it_collects_before_it_crashes_is_kept
    the_machine_goes_on_after_it_crashed
    worked_around_it_collects_all
}

#[test]
fn patched_it_collects_all() {
    all_is_there(&panic(Series::V6_12, Driver::Patched).unwrap());
}
