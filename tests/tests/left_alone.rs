// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! On any doubt the kernel's own vmcore stays as it is, and one line in the log
//! says why; where there is none, ours is the same to the last byte.
//!
//! Most of these crash kernels follow no panic: they are booted with an ELF core
//! header and old memory that were made up here, which takes a third of the time
//! and can be wrong in ways in which no kernel is.

use std::fs;
use std::path::Path;

use system_tests::crash_header::{
    HEADER, Load, OLD, OLD_SIZE, PAGE, boot_with_header, core_header, dead_kernels_notes,
    old_memory,
};
use system_tests::{Modules, Result, TAKES, fault, module_log, names, payload};
use vmtest::{Boot, Kernel, PanicCycle, Run, Series, Vm};

/// A crash kernel that follows no panic: it finds `header` at [`HEADER`], and
/// has none of the memory in `holes`, addresses and sizes.
fn crash_kernel(series: Series, test: &str, header: &[u8], holes: &[(u64, u64)]) -> Result<Boot> {
    let kernel = Kernel::fetch(series)?;
    let name = format!("{test}-{series}");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    let mut vm = boot_with_header(&kernel, &name, &directory, header)?;
    for (start, size) in holes {
        vm = vm.append(&format!("memmap={size:#x}${start:#x}"));
    }
    prepared(vm, &kernel)
}

fn prepared<Mode>(vm: Vm<Mode>, kernel: &Kernel) -> Result<Vm<Mode>> {
    let mut vm = Modules::build(kernel)?.add_to(vm).edu();
    for port in ["before", "after", "vmcoredd", "vmcore"] {
        vm = vm.port(port);
    }
    Ok(vm.file(vmtest::guest_program()?, "/bin/vmtest-guest"))
}

/// Looks at what the kernel's own file is and holds before and after `lines`.
fn script(lines: &str) -> String {
    format!(
        "
        look() {{
            vmtest-guest digest /proc/vmcore
            stat -c '%i %a %s' /proc/vmcore
            dd if=/proc/vmcore bs=4096 count=2 | md5sum
        }}
        look >/ports/before
        {lines}
        look >/ports/after
        "
    )
}

const LOAD: &str = "
    insmod /modules/vmcoredd.ko
    insmod /modules/edu.ko
    cat /proc/vmcoredd >/ports/vmcoredd
";

fn reads_as_before(run: &Run) {
    let look = |port| fs::read_to_string(run.port(port)).unwrap();
    assert!(look("before").lines().count() >= 3, "{}", run.console());
    assert_eq!(look("before"), look("after"));
}

fn is_left_alone(run: &Run, reason: &str) {
    reads_as_before(run);
    assert_eq!(module_log(run.dmesg())[0], format!("/proc/vmcore is left alone: {reason}"));
    let lines = module_log(run.dmesg()).into_iter();
    assert_eq!(lines.filter(|line| line.starts_with("/proc/vmcore ")).count(), 1);
    assert_eq!(fault(run.dmesg()), None);
}

fn has_edus_dump(file: &Path) {
    let names = names(file).unwrap();
    let [name] = names.as_slice() else { panic!("{names:?}") };
    assert!(name.starts_with("edu_0000:00:"), "{name}");
    let registers = payload(file, name).unwrap();
    assert_eq!((registers.len(), registers[0]), (EDU_SIZE, 0xed));
}

/// Which crash the dumps are of, and what of the dead kernel's notes is there.
fn has_vmcoreinfo(file: &Path) {
    let dump = kdumpfile::Dump::open(file).unwrap();
    let info = dump.vmcoreinfo().unwrap().expect("VMCOREINFO");
    assert_eq!(String::from_utf8_lossy(info.text()), "OSRELEASE=made-up\n");
    let owners: Vec<_> = dump.notes().map(|note| note.unwrap().owner().to_vec()).collect();
    assert_eq!(owners, [&b"LINUX"[..], b"VMCOREDD", b"VMCOREINFO"]);
}

const EDU_SIZE: usize = 0xa0;
/// What stands before the payload of a device dump.
const NOTE_HEADER_SIZE: usize = 64;

/// Two CPUs read at once; and of two ranges one is not on whole pages, and not
/// where its physical address says.
fn made_up_memory_is_taken_over(series: Series) {
    let second = OLD + (3 << 20) + 0x400;
    let moved = Load { physical: second - 0x1000_0000, ..Load::new(second, 0x12345) };
    let loads = [Load::new(OLD, 3 << 20), moved];
    let widened = (3 << 20) + 0x13000;
    let vm = crash_kernel(series, "taken-over", &core_header(&loads), &[(OLD, OLD_SIZE)]).unwrap();
    let run = vm
        .script(
            "
            vmtest-guest digest /proc/vmcore >/ports/before
            insmod /modules/vmcoredd.ko
            insmod /modules/edu.ko
            vmtest-guest digest /proc/vmcore >/ports/after
            vmtest-guest agree /proc/vmcore --random 2000 --seed 1 &
            first=$!
            vmtest-guest agree /proc/vmcore --random 2000 --seed 2
            wait $first
            vmtest-guest refuse /proc/vmcore
            cat /proc/vmcore >/ports/vmcore
            cat /proc/vmcoredd >/ports/vmcoredd
            ",
        )
        .run()
        .unwrap();
    let digest = |port| fs::read_to_string(run.port(port)).unwrap();
    assert_eq!(digest("before").lines().count(), 2);
    assert_eq!(digest("before"), digest("after"));
    assert_eq!(run.console().matches("agree: ok").count(), 2, "{}", run.console());
    assert!(module_log(run.dmesg())[0].starts_with(TAKES));
    assert_eq!(fault(run.dmesg()), None);

    has_edus_dump(run.port("vmcoredd"));
    has_edus_dump(run.port("vmcore"));
    let vmcore = fs::read(run.port("vmcore")).unwrap();
    let notes = dead_kernels_notes().concat();
    let manifest = PAGE as usize + NOTE_HEADER_SIZE + EDU_SIZE;
    let (size, owner) = (&vmcore[manifest + 4..][..4], &vmcore[manifest + 12..][..9]);
    assert_eq!(owner, b"VMCOREDD\0");
    let size = u32::from_le_bytes(size.try_into().unwrap()) as usize;
    let notes_start = manifest + 24 + size.next_multiple_of(4);
    assert!(vmcore[notes_start..][..notes.len()] == notes, "the dead kernel's notes");
    assert_eq!(vmcore.len(), 2 * PAGE as usize + widened);
    assert!(vmcore[2 * PAGE as usize..] == old_memory()[..widened], "old memory");
}

fn novmcoredd(series: Series) {
    let header = core_header(&[Load::new(OLD, 1 << 20)]);
    let vm = crash_kernel(series, "novmcoredd", &header, &[(OLD, OLD_SIZE)]).unwrap();
    let run = vm.append("novmcoredd").script(&script(LOAD)).run().unwrap();
    is_left_alone(&run, "novmcoredd is given");
    let said = module_log(run.dmesg());
    assert!(said[1].ends_with(": refused, device dumps are switched off"), "{said:?}");
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(run.dmesg().contains(": no device dump: -22"), "{}", run.dmesg());
    assert!(names(run.port("vmcoredd")).unwrap().is_empty());
}

fn it_is_switched_off(series: Series) {
    let header = core_header(&[Load::new(OLD, 1 << 20)]);
    let vm = crash_kernel(series, "off", &header, &[(OLD, OLD_SIZE)]).unwrap();
    let load = LOAD.replace("vmcoredd.ko", "vmcoredd.ko off=1");
    let run = vm.script(&script(&load)).run().unwrap();
    is_left_alone(&run, "vmcoredd.off is set");
    assert!(run.dmesg().contains(": no device dump: -22"), "{}", run.dmesg());
    assert!(names(run.port("vmcoredd")).unwrap().is_empty());
}

/// Taking the name over would end the reading with an error.
fn somebody_reads_it(series: Series) {
    let header = core_header(&[Load::new(OLD, 1 << 20)]);
    let vm = crash_kernel(series, "read", &header, &[(OLD, OLD_SIZE)]).unwrap();
    let lines = format!(
        "
        exec 3</proc/vmcore
        head -c 4096 <&3 >/dev/null
        {LOAD}
        cat <&3 | md5sum
        exec 3<&-
        "
    );
    let run = vm.script(&script(&lines)).run().unwrap();
    is_left_alone(&run, "somebody is reading it");
    has_edus_dump(run.port("vmcoredd"));
    has_vmcoreinfo(run.port("vmcoredd"));
}

fn sizes_in_file_and_memory_differ(series: Series) {
    let load = Load { file_size: 0xf_f000, ..Load::new(OLD, 1 << 20) };
    let header = core_header(&[load]);
    let vm = crash_kernel(series, "file-size", &header, &[(OLD, OLD_SIZE)]).unwrap();
    let run = vm.script(&script(LOAD)).run().unwrap();
    // One program header, the merged PT_NOTE's, stands before it.
    is_left_alone(&run, "offset 0x78: p_filesz: expected the same as p_memsz, found 0xff000");
    has_edus_dump(run.port("vmcoredd"));
    has_vmcoreinfo(run.port("vmcoredd"));
}

/// A device that still writes to memory hits the header that we read again.
fn memory_is_said_to_be_elsewhere(series: Series) {
    let loads = [Load::new(OLD, 1 << 20), Load::new(OLD + (1 << 20), 1 << 20)];
    let vm = crash_kernel(series, "elsewhere", &core_header(&loads), &[(OLD, OLD_SIZE)]).unwrap();
    // After the file header, the PT_NOTEs and one PT_LOAD: p_offset.
    let at = HEADER + 64 + (3 + 1) * 56 + 8;
    let hit = format!("devmem {at:#x} 64 {:#x}", OLD + (1 << 20) + PAGE);
    let run = vm.script(&script(&format!("{hit}\n{LOAD}"))).run().unwrap();
    // After a page of headers, a page of notes, and one PT_LOAD.
    is_left_alone(&run, "offset 0x102000: old memory reads differently");
    has_edus_dump(run.port("vmcoredd"));
    has_vmcoreinfo(run.port("vmcoredd"));
}

fn the_header_is_lost(series: Series) {
    let header = core_header(&[Load::new(OLD, 1 << 20)]);
    let vm = crash_kernel(series, "header-lost", &header, &[(OLD, OLD_SIZE)]).unwrap();
    let lose = format!("devmem {HEADER:#x} 32 0");
    let run = vm.script(&script(&format!("{lose}\n{LOAD}"))).run().unwrap();
    is_left_alone(&run, "offset 0x0: ELF magic: expected 0x7f454c46, found 0x0");
    has_edus_dump(run.port("vmcoredd"));
    has_vmcoreinfo(run.port("vmcoredd"));
}

fn there_is_no_vmcore(series: Series) {
    let vm = crash_kernel(series, "no-vmcore", &[0; 4096], &[(OLD, OLD_SIZE)]).unwrap();
    let script = "
        [ ! -e /proc/vmcore ]
        insmod /modules/vmcoredd.ko
        insmod /modules/edu.ko
        [ ! -e /proc/vmcore ]
        cat /proc/vmcoredd >/ports/vmcoredd
    ";
    let run = vm.script(script).run().unwrap();
    let said = module_log(run.dmesg());
    assert_eq!(said[0], "/proc/vmcore is left alone: it cannot be read, error -2");
    assert_eq!(fault(run.dmesg()), None);
    has_edus_dump(run.port("vmcoredd"));
}

/// Some of a `PT_LOAD` is memory of the crash kernel itself, which it refuses to
/// read as old memory; `holes` is the rest of it. Whatever we do about it, each
/// of `pages` must read as before.
fn run_mixed(series: Series, test: &str, size: u64, holes: &[(u64, u64)], pages: &str) -> Run {
    let start = holes[0].0;
    let header = core_header(&[Load::new(start, size)]);
    let vm = crash_kernel(series, test, &header, holes).unwrap().memory_mib(2048);
    look_at_mixed(vm, pages)
}

fn look_at_mixed(vm: Boot, pages: &str) -> Run {
    let script = format!(
        "
        look() {{
            for page in {pages}; do
                if dd if=/proc/vmcore bs=4096 skip=$page count=1 of=/tmp/page 2>/tmp/error; then
                    echo $page $(md5sum </tmp/page)
                else
                    echo $page refused
                fi
            done
        }}
        look >/ports/before
        insmod /modules/vmcoredd.ko
        look >/ports/after
        insmod /modules/edu.ko
        cat /proc/vmcoredd >/ports/vmcoredd
        "
    );
    let run = vm.script(&script).run().unwrap();
    let look = |port| fs::read_to_string(run.port(port)).unwrap();
    assert!(look("before").contains("refused") && look("before").contains(" -"));
    assert_eq!(look("before"), look("after"));
    // The kernel's own file warns, once.
    assert_eq!(run.dmesg().matches("WARNING: ").count(), 1, "{}", run.dmesg());
    for trouble in ["BUG:", "Oops", "conflicting memory types", "map pfn"] {
        assert!(!run.dmesg().contains(trouble), "{trouble}: {}", run.dmesg());
    }
    has_edus_dump(run.port("vmcoredd"));
    run
}

fn memory_is_partly_the_crash_kernels(series: Series) {
    let pages = "$(seq 0 65)";
    let run = run_mixed(series, "mixed", 64 * PAGE, &[(OLD, 32 * PAGE)], pages);
    let said = module_log(run.dmesg());
    assert_eq!(said[0], "/proc/vmcore is left alone: it cannot be read, error -14");
    has_vmcoreinfo(run.port("vmcoredd"));
}

/// As before, but in pages that no sample falls into.
fn memory_is_partly_the_crash_kernels_unseen(series: Series) {
    let holes = [(OLD, 40 * PAGE), (OLD + 48 * PAGE, 976 * PAGE)];
    let pages = "0 33 39 40 44 47 48 49 50 66 1023 1025";
    run_mixed(series, "mixed-unseen", 1024 * PAGE, &holes, pages);
}

/// As before, but a whole window of ours, between two samples.
fn a_window_of_memory_is_the_crash_kernels(series: Series) {
    let mib = 1 << 20;
    let holes = [(128 * mib, 512 * mib), (672 * mib, 511 * mib)];
    // Two pages of headers and notes are before it.
    let pages = "0 2 131073 131074 135000 139265 139266 200000";
    run_mixed(series, "mixed-window", 1054 * mib + PAGE, &holes, pages);
}

/// As before, and the rest is not reserved but nothing at all, as old memory is in
/// a real crash kernel: the direct map does not reach it.
fn memory_of_the_crash_kernel_lies_in_a_hole(series: Series) {
    let mib = 1 << 20;
    let start = 0x3200_0000;
    let header = core_header(&[Load::new(start, 40 * mib)]);
    let vm = crash_kernel(series, "hole", &header, &[])
        .unwrap()
        .append("memmap=exactmap memmap=639K@0 memmap=511M@1M memmap=512K@0x33f80000");
    // 40 MiB after two pages; their 512 KiB start 31.5 MiB after the start.
    look_at_mixed(vm, "0 2 3 1000 8065 8066 8194 10241");
}

#[test]
fn there_is_virtio_mem() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let vm = PanicCycle::new(&kernel, "virtio-mem").crashkernel_mib(160);
    let vm = ["-m", "512M,maxmem=1G", "-object", "memory-backend-ram,id=plugged,size=256M"]
        .into_iter()
        .chain(["-device", "virtio-mem-pci,memdev=plugged"])
        .fold(vm, Vm::qemu_arg);
    let run = prepared(vm, &kernel).unwrap().crash_script(&script(LOAD)).run().unwrap();
    is_left_alone(&run, "there is a virtio-mem device");
    has_edus_dump(run.port("vmcoredd"));
    let dump = kdumpfile::Dump::open(run.port("vmcoredd")).unwrap();
    let info = dump.vmcoreinfo().unwrap().expect("VMCOREINFO");
    assert_eq!(info.get("OSRELEASE"), Some(kernel.release().as_bytes()));
    assert!(info.number("CRASHTIME").is_some(), "{info:?}");
}

system_tests::on_each_kernel! {
    made_up_memory_is_taken_over
    novmcoredd
    it_is_switched_off
    somebody_reads_it
    sizes_in_file_and_memory_differ
    memory_is_said_to_be_elsewhere
    the_header_is_lost
    there_is_no_vmcore
    memory_is_partly_the_crash_kernels
    memory_is_partly_the_crash_kernels_unseen
    memory_of_the_crash_kernel_lies_in_a_hole
    a_window_of_memory_is_the_crash_kernels
}
