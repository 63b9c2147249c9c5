// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The dead kernel's log, in files made by another hand.

#[allow(dead_code, reason = "not all is needed here")]
mod on_disk;

use kdumpfile::{Dump, Fault, KernelLog};
use proptest::collection::vec;
use proptest::prelude::*;
use synth::{Class, Compression, Endian, Image, Kdump, KernelLog as Made, NoteSpec, Vmcore, Width};

use on_disk::on_disk;

/// More than the ring has room for, so that it wraps in every way.
const LINES: u64 = 400;

fn text(number: u64) -> String {
    match number % 7 {
        3 => String::new(),
        _ => format!("nvme 0000:01:00.0: line {number} {}", "x".repeat((number % 61) as usize)),
    }
}

fn many(levels: u32) -> Made {
    lines(levels, LINES)
}

fn lines(levels: u32, count: u64) -> Made {
    (0..count).fold(Made::new(levels), |log, number| {
        let level = (number % 8) as u8;
        log.line(number * 1_000_000, level, (number % 5) as u8, "+pci:0000:01:00.0", &text(number))
    })
}

fn elf(made: &Made, info: &str, has_virtual: bool) -> Image {
    let vmcore = Vmcore::new(Class::Elf64, Endian::Little).note(NoteSpec::vmcoreinfo(info));
    made.loads(has_virtual).into_iter().fold(vmcore, Vmcore::load).image()
}

fn kdump(made: &Made, without: Option<u64>) -> Image {
    let dump = Kdump::new(Width::Bits64, Endian::Little, 6).compression(Compression::Zlib);
    let dump = dump.vmcoreinfo(&made.vmcoreinfo());
    let pages = made.pages().iter();
    let pages = pages.filter(|(number, _)| Some(**number * 4096) != without);
    let dump = pages.fold(dump, |dump, (number, page)| dump.page(*number, page));
    dump.image()
}

fn log(image: &Image) -> Result<KernelLog, Fault> {
    let file = on_disk(image);
    let dump = Dump::open(&file.path).expect("a dump");
    dump.memory().kernel_log().map_err(|error| error.fault)
}

/// The log has the newest lines, and all of them that the ring has room for.
fn check(log: &KernelLog, lines: u64) {
    assert_eq!((log.unread, log.left_out), (0, 0));
    assert!((50..=64).contains(&log.records.len()), "{}", log.records.len());
    let first = lines - log.records.len() as u64;
    for (number, record) in (first..).zip(&log.records) {
        assert_eq!(String::from_utf8_lossy(&record.text), text(number));
        assert_eq!((record.sequence, record.time), (number, number * 1_000_000));
        assert_eq!(u64::from(record.level), number % 8);
        assert_eq!(u64::from(record.facility), number % 5);
        assert_eq!(record.device, b"+pci:0000:01:00.0");
    }
}

#[test]
fn page_tables_of_four_and_five_levels_lead_there() {
    for levels in [4, 5] {
        let made = many(levels);
        check(&log(&elf(&made, &made.vmcoreinfo(), false)).expect("a log"), LINES);
        check(&log(&kdump(&made, None)).expect("a log"), LINES);
    }
}

/// Where it is in the ring of texts changes with every line.
#[test]
fn rings_wrap() {
    for count in (150..350).step_by(13) {
        check(&log(&kdump(&lines(4, count), None)).expect("a log"), count);
    }
}

/// Without page tables, as of another machine.
#[test]
fn program_headers_lead_there() {
    let made = many(4);
    let info = made.vmcoreinfo().replace("init_top_pgt", "another");
    check(&log(&elf(&made, &info, true)).expect("a log"), LINES);
    let fault = log(&elf(&made, &info, false)).expect_err("nothing says where");
    assert_eq!(
        fault.to_string(),
        "virtual address 0xffffffff83200000: no page tables of x86-64 to look it up in"
    );
}

#[test]
fn addresses_are_translated() {
    let made = many(4);
    let file = on_disk(&kdump(&made, None));
    let dump = Dump::open(&file.path).expect("a dump");
    let memory = dump.memory().virtual_addresses().expect("page tables");
    // A page of each size: what follows an address in a row ends with its page.
    for (address, expected) in [
        (0xffff_ffff_8320_0108, (0x2420_0108, 0x20_0000 - 0x108)),
        (0xffff_8880_4002_0000, (0x4002_0000, 0x4000_0000 - 0x2_0000)),
        (0xffff_c900_0012_4010, (Made::text_page(1) + 0x10, 0xff0)),
    ] {
        assert_eq!(memory.translate(address).expect("mapped"), expected, "{address:#x}");
    }
    let fault = memory.translate(0xffff_c900_0099_0000).expect_err("not mapped").fault;
    assert!(matches!(fault, Fault::NoMapping { .. }), "{fault}");
}

#[test]
fn a_record_without_its_page_is_counted() {
    let log = log(&kdump(&many(4), Some(Made::text_page(1)))).expect("the rest");
    assert!(log.unread > 10 && log.records.len() > 10, "{} of {}", log.unread, log.records.len());
    assert!(log.records.len() as u64 + log.unread <= 64);
}

#[test]
fn what_is_still_written_is_left_out() {
    let made = Made::new(4).line(1, 6, 0, "", "first").reserved("half a li").line(2, 3, 0, "", "x");
    let log = log(&kdump(&made, None)).expect("a log");
    let texts: Vec<&[u8]> = log.records.iter().map(|record| &record.text[..]).collect();
    assert_eq!(texts, [&b"first"[..], b"x"]);
}

#[test]
fn why_there_is_none() {
    let made = many(4);
    for (from, to, expected) in [
        ("SYMBOL(prb)", "X", "SYMBOL(prb) in VMCOREINFO, which Linux has from 5.10 on"),
        ("SIZE(atomic_long_t)=8", "SIZE(atomic_long_t)=4", "a kernel of 64 bits"),
        ("SIZE(prb_desc)", "X", "SIZE(prb_desc) in VMCOREINFO"),
        ("SIZE(prb_desc)=40", "SIZE(prb_desc)=99999", "SIZE(prb_desc) in VMCOREINFO"),
    ] {
        let info = made.vmcoreinfo().replace(from, to);
        let fault = log(&elf(&made, &info, false)).expect_err("no log");
        assert_eq!(fault.to_string(), format!("the dead kernel's log: expected {expected}"));
    }
    let nothing = Vmcore::new(Class::Elf64, Endian::Little).image();
    let fault = log(&nothing).expect_err("no log");
    assert_eq!(fault.to_string(), "the dead kernel's log: expected VMCOREINFO");
}

/// Rings that say that they are larger than any, or lead in circles, end.
#[test]
fn rings_that_lie_end() {
    let bits = |bits: u64| bits << 32;
    for (offset, value) in [
        // count_bits, with the number before it, and the numbers of the first and the last.
        (16, bits(31)),
        (16 + 24, 0),
        (16 + 32, u64::MAX),
        // Where the texts are, and that their ring is of one byte.
        (80 + 16, u64::MAX - 5),
        (80, 0),
        (80, 31),
    ] {
        let made = many(4).with_number(offset, value);
        let log = log(&kdump(&made, None)).expect("what is there");
        assert!(log.records.len() <= 64, "{offset}");
    }
    // The ring goes round once more than it has records.
    let made = many(4).with_number(16, bits(31)).with_number(16 + 32, 7);
    let log_of_many = log(&kdump(&made.with_number(16 + 24, 8), None)).expect("what is there");
    assert!(log_of_many.left_out > 1 << 30 && log_of_many.unread > 1 << 16);
    let made = many(4).with_number(16, bits(32));
    assert!(matches!(log(&kdump(&made, None)), Err(Fault::NoLog { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is in the ring, its descriptors and the page tables, reading it ends.
    #[test]
    fn damaged_memory_is_read_to_an_end(
        changes in vec((any::<prop::sample::Index>(), 0..512_usize, any::<u64>(), 0..64_u32), 1..40),
    ) {
        let made = many(5);
        let mut pages = made.pages().clone();
        for (page, at, value, shift) in changes {
            let numbers: Vec<u64> = pages.keys().copied().collect();
            let page = pages.get_mut(page.get(&numbers)).expect("a page");
            page[8 * at..8 * at + 8].copy_from_slice(&(value >> shift).to_le_bytes());
        }
        let dump = Kdump::new(Width::Bits64, Endian::Little, 6).vmcoreinfo(&made.vmcoreinfo());
        let dump = pages.iter().fold(dump, |dump, (number, page)| dump.page(*number, page));
        if let Ok(log) = log(&dump.image()) {
            prop_assert!(log.records.len() <= 1 << 18);
        }
    }
}
