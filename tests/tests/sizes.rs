// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Sizes up to what a note can say are exact, and what is after them is found.

use std::fs;

use system_tests::{Modules, fault, module_log, outcome};
use vmtest::{Boot, Kernel, Series};

/// `n_descsz` has 32 bits, of which the name takes 44 bytes.
const LONGEST: u64 = u32::MAX as u64 - 44;
const END: u64 = 0x0123_4567_89ab_cdef;

#[test]
fn the_longest_dump_is_exact() {
    let kernel = Kernel::fetch(Series::V6_12).unwrap();
    let modules = Modules::build(&kernel).unwrap();
    let end = 4096 + 64 + LONGEST;
    let next = end.next_multiple_of(4);
    let script = format!(
        "
        insmod /modules/vmcoredd.ko deadline_ms=100000
        insmod /modules/collectors.ko what=pieces-longest
        insmod /modules/adapters.ko size=1000
        stat -c %s /proc/vmcoredd >/ports/size
        dd if=/proc/vmcoredd bs=1 skip={} count=8 >/ports/end
        dd if=/proc/vmcoredd bs=1 skip={next} count=1064 >/ports/next
        dd if=/proc/vmcoredd bs=4096 skip=1 count=1 >/ports/first
        vmtest-guest agree /proc/vmcoredd --random 200
        ",
        end - 8
    );
    let mut vm = modules
        .add_to(Boot::new(&kernel, "longest"))
        .file(modules.test_module("collectors").unwrap(), "/modules/collectors.ko")
        .file(modules.test_module("adapters").unwrap(), "/modules/adapters.ko")
        .file(vmtest::guest_program().unwrap(), "/bin/vmtest-guest");
    for port in ["size", "end", "next", "first"] {
        vm = vm.port(port);
    }
    let run = vm.script(&script).run().unwrap();
    let read = |port| fs::read(run.port(port)).unwrap();

    let said = module_log(run.dmesg());
    let expected = "pieces-longest: partial, it is longer than a note can say, 4294967251 bytes";
    assert_eq!(outcome(said[1]), expected);
    assert!(run.dmesg().contains("collectors: the longest: 0\n"), "{}", run.dmesg());
    assert!(run.dmesg().contains("collectors: pieces-longest: -27\n"), "{}", run.dmesg());
    let first = read("first");
    assert_eq!(first[..12], [8, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 7, 0, 0]);
    assert!(first[20..].starts_with(b"pieces-longest\0"));
    assert_eq!(read("end"), END.to_le_bytes());
    let behind = read("next");
    assert_eq!(behind[4..12], [0x14, 4, 0, 0, 0, 7, 0, 0], "44 + 1000 bytes");
    assert!(behind[20..].starts_with(b"adapter0\0"));
    let size: u64 = String::from_utf8(read("size")).unwrap().trim().parse().unwrap();
    assert!(size > next + 1064 && size.is_multiple_of(4096), "{size}");
    assert!(run.console().contains("agree: ok"), "{}", run.console());
    assert_eq!(fault(run.dmesg()), None);
}
