// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Registers that are reached by way of others.

use plan::dump::Status;
use plan::place::Space;

use crate::emulated::{ALL, Emulated, PURE, Register, of, value};

/// A window of 4 KiB at 0x3000, whose base is at 0x408.
fn paged() -> Emulated {
    let mut device = Emulated::new().register(Space::Bar, 0x408, Register::PageBase(0));
    device.aperture = 0x3000..0x4000;
    device
}

const PAGED: &str = "window grc bar=0 base-at=0x408 base-mask=0xfffff000 at=0x3000 len=0x1000\n";

#[test]
fn a_block_over_two_pages() {
    let text = of(
        &format!("{PAGED}block regs window=grc at=0x31000ff8 len=0x10"),
        "block regs { reg A at=0 count=4 }",
    );
    let mut device = paged();
    for (at, number) in (0x3100_0ff8..).step_by(4).zip(1..=4) {
        device.inside.insert(at, number);
    }
    let decoded = device.both(&text, ALL);
    let values: Vec<_> =
        decoded.blocks[0].registers.iter().map(|each| each.value.clone()).collect();
    assert_eq!(values, [Ok(1), Ok(2), Ok(3), Ok(4)]);
    // Its addresses are those behind the window.
    assert_eq!(decoded.segments[0].head.space, Space::Window);
    assert_eq!(decoded.segments[0].head.offset, 0x3100_0ff8);
    assert_eq!(device.written, [(0x408, 0x3100_0000), (0x408, 0x3100_1000)]);
    // Moving a window is not pure.
    let mut device = paged();
    device.collect(&text, PURE);
    assert_eq!((device.touched.as_slice(), device.written.as_slice()), (&[][..], &[][..]));
    assert_eq!(device.decoded(&text).unread[0].why, Status::LeftOut.words());
}

/// A register behind a window says where another is.
#[test]
fn a_computed_address() {
    let text = of(
        &format!(
            "{PAGED}block comm window=grc at=0x31001f0 len=8
             block status window=grc at=\"LOC & ~3\" len=8 if=\"SIG == 0x484353 && LOC.SPACE == 1\""
        ),
        "block comm { reg SIG at=0; reg LOC at=4 { SPACE 0 1 } }
         block status { reg STATUS at=0 }",
    );
    let made = |status_at: u32| {
        let mut device = paged();
        device.inside.insert(0x0310_01f0, 0x48_4353);
        device.inside.insert(0x0310_01f4, status_at | 1);
        device.inside.insert(status_at.into(), 0x8000);
        device
    };
    assert_eq!(value(&made(0x10_0100).both(&text, ALL), "STATUS"), Ok(0x8000));
    // What would not fit into a page is not read, as only its start could be seen.
    let mut device = made(0x10_0ffc);
    let decoded = device.both(&text, ALL);
    assert_eq!(decoded.unread[0].block, "status");
    assert_eq!(value(&decoded, "SIG"), Ok(0x48_4353));
}

#[test]
fn index_and_data() {
    let collect = "window phy bar=0 index-at=0x60 data-at=0x64 lock-at=0x68 lock-bit=3 \
                   done-at=0x6c done-bit=31 timeout-ms=5\nblock regs window=phy at=0x100 len=0xc";
    let text = of(collect, "block regs { reg A at=0; reg HOLE at=4 skip=#true; reg B at=8 }");
    let made = |done: u64| {
        let mut device = Emulated::new()
            .register(Space::Bar, 0x60, Register::Index(0))
            .register(Space::Bar, 0x64, Register::Data)
            .register(Space::Bar, 0x68, Register::Written(0))
            .register(Space::Bar, 0x6c, Register::Plain(done));
        device.inside.insert(0x100, 5);
        device.inside.insert(0x108, 6);
        device
    };
    let mut device = made(1 << 31);
    let decoded = device.both(&text, ALL);
    assert_eq!((value(&decoded, "A"), value(&decoded, "B")), (Ok(5), Ok(6)));
    let lock = |at| [(0x68, 8), (0x60, at), (0x68, 0)];
    assert_eq!(device.written, [lock(0x100), lock(0x108)].concat());
    // One that is never done gives no value of something else.
    let mut device = made(0);
    let decoded = device.both(&text, ALL);
    assert_eq!(decoded.unread[0].why, Status::NoAnswer.words());
    assert!(decoded.blocks.is_empty());
}
