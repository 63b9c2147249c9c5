// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A device dump never costs the vmcore: eight adapters as large as cxgb4's in a
//! small crash kernel, and thousands of small dumps.

use std::io::Write;

use system_tests::{
    Modules, Result, fault, least_crashkernel, module_log, names, outcome, payload, rearranged,
};
use vmtest::{Kernel, PanicCycle, Run, Series};

const ADAPTERS: usize = 8;
/// What cxgb4 asks for.
const CXGB4_SIZE: usize = 33_558_232;
const PAGE: usize = 4096;

/// What an adapter has in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Content {
    /// 60 of 100 pages are zeros, 25 descriptors, 15 random bytes.
    AdapterLike,
    /// Random bytes.
    Incompressible,
}

fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// What `tests/modules/adapters` fills a page with.
fn page(content: Content, number: usize, page: usize, to: &mut [u8]) {
    let seed = ((number as u64) << 32 | page as u64).wrapping_add(1);
    let seed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let kind = seed >> 32;
    let kind = kind % 100;
    let mut state = seed | 1;
    for (index, word) in to.chunks_mut(8).enumerate() {
        let value = match (content, kind) {
            (Content::Incompressible, _) | (_, 85..) => next(&mut state),
            (_, ..60) => 0,
            _ => match index % 4 {
                0 => 0x1_0000_0000 + (page * PAGE + index * 8 * 64) as u64,
                1 => 0x0000_0600_0000_0800,
                _ => 0,
            },
        };
        word.copy_from_slice(&value.to_le_bytes()[..word.len()]);
    }
}

fn adapter(content: Content, number: usize, size: usize) -> Vec<u8> {
    let mut memory = vec![0; size];
    for (index, bytes) in memory.chunks_mut(PAGE).enumerate() {
        page(content, number, index, bytes);
    }
    memory
}

/// `MemAvailable` where the script printed it after `label`, in bytes.
fn available(run: &Run, label: &str) -> u64 {
    let line = run.console().lines().find_map(|line| line.strip_prefix(label));
    let kib = line.unwrap_or_else(|| panic!("no {label:?}")).split_whitespace().nth(1);
    kib.unwrap().parse::<u64>().unwrap() * 1024
}

/// Tells a figure to whoever watches the tests.
fn figure(text: &str) {
    let _ = writeln!(std::io::stderr(), "    {text}");
}

fn with_adapters(
    series: Series,
    test: &str,
    mib: u32,
    vm: impl FnOnce(PanicCycle) -> PanicCycle,
) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let cycle = PanicCycle::new(&kernel, &format!("{test}-{series}-{mib}"));
    let cycle = modules
        .add_to(cycle.crashkernel_mib(mib).memory_mib(1024))
        .file(modules.test_module("adapters")?, "/modules/adapters.ko");
    Ok(vm(cycle).run()?)
}

const AVAILABLE: &str = "available() { echo $1 $(grep MemAvailable /proc/meminfo); }";

/// The sample of eight adapters of cxgb4's size.
fn eight(series: Series, mib: u32, content: Content) -> Run {
    let (test, arguments) = match content {
        Content::AdapterLike => ("eight", ""),
        Content::Incompressible => ("eight-random", "content=random"),
    };
    let script = format!(
        "
        {AVAILABLE}
        available at-load
        insmod /modules/vmcoredd.ko
        available before
        insmod /modules/adapters.ko count={ADAPTERS} {arguments}
        available after
        makedumpfile -l -d 31 -F /proc/vmcore >/ports/vmcore
        cat /proc/vmcoredd >/ports/vmcoredd
        "
    );
    let run = with_adapters(series, test, mib, |vm| {
        vm.program("/usr/bin/makedumpfile").port("vmcore").port("vmcoredd").crash_script(&script)
    })
    .unwrap();
    assert_eq!(fault(run.dmesg()), None);
    let directory = vmtest::target_dir().join("memory");
    std::fs::create_dir_all(&directory).unwrap();
    let stream = run.port("vmcore");
    assert!(stream.metadata().unwrap().len() > 1 << 20, "{}", stream.display());
    let whole = directory.join(format!("{test}-{series}-{mib}"));
    std::fs::create_dir_all(&whole).unwrap();
    rearranged(stream, &whole).unwrap();
    let expected: Vec<String> = (0..ADAPTERS).map(|number| format!("adapter{number}")).collect();
    let said = module_log(run.dmesg());
    assert_eq!(names(run.port("vmcoredd")).unwrap(), expected, "{said:?}");
    run
}

fn eight_adapters(series: Series, mib: u32) {
    let run = eight(series, mib, Content::AdapterLike);
    for line in &module_log(run.dmesg())[1..] {
        assert!(outcome(line).ends_with(": complete, 33558232 bytes"), "{line}");
    }
    for number in 0..ADAPTERS {
        let found = payload(run.port("vmcoredd"), &format!("adapter{number}")).unwrap();
        assert!(found == adapter(Content::AdapterLike, number, CXGB4_SIZE), "adapter{number}");
    }
    let held = available(&run, "before").saturating_sub(available(&run, "after"));
    let per_byte = held as f64 / (ADAPTERS * CXGB4_SIZE) as f64;
    figure(&format!("{series}, crashkernel={mib}M, 8 adapters: {per_byte:.3} bytes held per byte"));
    assert!(per_byte < 0.20, "{per_byte}");
}

/// What does not compress is cut, so that the last one has its share, too.
fn eight_incompressible_adapters(series: Series, mib: u32) {
    let run = eight(series, mib, Content::Incompressible);
    let mut kept = 0;
    for number in 0..ADAPTERS {
        let found = payload(run.port("vmcoredd"), &format!("adapter{number}")).unwrap();
        let whole = adapter(Content::Incompressible, number, CXGB4_SIZE);
        assert!(whole.starts_with(&found) && found.len() >= 1 << 15, "adapter{number}");
        let outcome = if found.len() == CXGB4_SIZE {
            "complete"
        } else {
            "partial, the budget of all dumps is used up"
        };
        let line = format!("adapter{number}: {outcome}, {} bytes, ", found.len());
        let said = module_log(run.dmesg());
        assert!(said.iter().any(|said| said.starts_with(&line)), "{line}: {said:?}");
        kept += found.len() as u64;
    }
    let budget = available(&run, "at-load") / 16 * 9;
    let part = kept as f64 / budget as f64;
    figure(&format!("{series}, crashkernel={mib}M, 8 random adapters: {part:.3} of the budget"));
    assert!((0.95..1.01).contains(&part), "{kept} of {budget}");
}

#[test]
fn eight_adapters_in_256_mib() {
    eight_adapters(Series::V6_12, 256);
}

#[test]
fn eight_incompressible_adapters_in_256_mib() {
    eight_incompressible_adapters(Series::V6_12, 256);
}

#[test]
fn eight_incompressible_adapters_in_160_mib() {
    eight_incompressible_adapters(Series::V6_12, 160);
}

#[test]
fn eight_incompressible_adapters_in_160_mib_of_6_1() {
    eight_incompressible_adapters(Series::V6_1, 160);
}

const SMALL: usize = 8000;

/// The C implementation takes 8.4 KiB for each, and 326 times as long near the end.
#[test]
fn thousands_of_small_dumps() {
    let script = format!(
        "
        dmesg -n 1
        {AVAILABLE}
        insmod /modules/vmcoredd.ko
        insmod /modules/adapters.ko size=1000 content=random
        rmmod adapters
        available before
        insmod /modules/adapters.ko count={SMALL} size=1000 content=random
        available after
        vmtest-guest pread /proc/vmcoredd --rounds 20000
        cat /proc/vmcoredd >/ports/vmcoredd
        "
    );
    let guest = vmtest::guest_program().unwrap();
    let run = with_adapters(Series::V6_12, "small", 160, |vm| {
        vm.file(guest, "/bin/vmtest-guest").port("vmcoredd").crash_script(&script)
    })
    .unwrap();
    assert_eq!(fault(run.dmesg()), None);
    let held = available(&run, "before").saturating_sub(available(&run, "after"));
    let each = held as f64 / SMALL as f64;
    figure(&format!("8,000 dumps of 1000 random bytes: {each:.0} bytes held each"));
    assert!(each <= 1280.0, "{each}");

    let line = run.console().lines().find(|line| line.starts_with("pread: ")).unwrap();
    figure(line);
    let (_, ratio) = line.rsplit_once(' ').unwrap();
    assert!(ratio.parse::<f64>().unwrap() <= 1.3, "{line}");

    let file = run.port("vmcoredd");
    assert_eq!(names(file).unwrap().len(), SMALL + 1);
    for number in [0, 1, 4711, SMALL - 1] {
        // The first one's name was taken.
        let name = if number == 0 { "adapter0#2".to_owned() } else { format!("adapter{number}") };
        let expected = adapter(Content::Incompressible, number, 1000);
        assert!(payload(file, &name).unwrap() == expected, "{name}");
    }
}

fn eight_adapters_where_they_fit(series: Series) {
    eight_adapters(series, least_crashkernel(series));
}

system_tests::on_each_kernel! {
    eight_adapters_where_they_fit
}
