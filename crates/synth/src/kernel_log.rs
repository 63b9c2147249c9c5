// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The memory of a dead x86-64 kernel that has a log: page tables, and the ring of
//! `kernel/printk/printk_ringbuffer.h`.
//!
//! The structures have other offsets than any kernel's, so that who does not ask VMCOREINFO
//! for them finds nothing.

use std::collections::{BTreeMap, VecDeque};

use crate::{Load, PAGE};

/// The image of the kernel: its virtual and its physical address. A page of 2 MiB maps it.
const IMAGE: (u64, u64) = (0xffff_ffff_8320_0000, 0x2420_0000);
const PHYS_BASE: i64 = 0x2420_0000 - 0x320_0000;
/// All memory from 1 GiB on, mapped by a page of 1 GiB.
const DIRECT: (u64, u64) = (0xffff_8880_4000_0000, 0x4000_0000);
/// The texts, in pages of 4 KiB that stand in a row in no other place.
const TEXTS: u64 = 0xffff_c900_0012_3000;
const TEXT_PAGES: u64 = 0x0700_0000;
/// In the image: the pointer to the ring, the ring, and the uppermost page table.
const PRB: u64 = 0x108;
const RING: u64 = 0x240;
const ROOT: u64 = 0x3000;
/// In the direct mapping.
const DESCS: u64 = 0x1_0000;
const INFOS: u64 = 0x2_0000;
/// Other page tables.
const TABLES: u64 = 0x9000;

const DESC_BITS: u32 = 6;
const TEXT_BITS: u32 = 13;
const DESC_SIZE: u64 = 40;
const INFO_SIZE: u64 = 112;
const ID: u64 = u64::MAX >> 2;

/// The offsets and sizes that VMCOREINFO has of it.
const INFO: &str = "\
SYMBOL(prb)=ffffffff83200108
SYMBOL(init_top_pgt)=ffffffff83203000
NUMBER(phys_base)=553648128
SIZE(printk_ringbuffer)=160
OFFSET(printk_ringbuffer.desc_ring)=16
OFFSET(printk_ringbuffer.text_data_ring)=80
SIZE(prb_desc_ring)=56
OFFSET(prb_desc_ring.count_bits)=4
OFFSET(prb_desc_ring.descs)=16
OFFSET(prb_desc_ring.infos)=8
OFFSET(prb_desc_ring.head_id)=32
OFFSET(prb_desc_ring.tail_id)=24
SIZE(prb_desc)=40
OFFSET(prb_desc.state_var)=8
OFFSET(prb_desc.text_blk_lpos)=16
SIZE(prb_data_blk_lpos)=24
OFFSET(prb_data_blk_lpos.begin)=8
OFFSET(prb_data_blk_lpos.next)=16
SIZE(printk_info)=112
OFFSET(printk_info.seq)=8
OFFSET(printk_info.ts_nsec)=0
OFFSET(printk_info.text_len)=18
OFFSET(printk_info.caller_id)=24
OFFSET(printk_info.dev_info)=32
SIZE(dev_printk_info)=64
OFFSET(dev_printk_info.subsystem)=48
LENGTH(printk_info_subsystem)=16
OFFSET(dev_printk_info.device)=0
LENGTH(printk_info_device)=48
SIZE(prb_data_ring)=40
OFFSET(prb_data_ring.size_bits)=0
OFFSET(prb_data_ring.data)=16
SIZE(atomic_long_t)=8
OFFSET(atomic_long_t.counter)=0
";

/// The memory of a kernel with a log.
#[derive(Debug, Clone)]
pub struct KernelLog {
    levels: u32,
    memory: BTreeMap<u64, Vec<u8>>,
    head_id: u64,
    head: u64,
    /// Number, begin and next of those that are there.
    records: VecDeque<(u64, u64, u64)>,
    sequence: u64,
    tables: u64,
}

impl KernelLog {
    /// An empty log, in memory that page tables of `levels` map, 4 or 5.
    #[must_use]
    pub fn new(levels: u32) -> Self {
        let mut log = Self {
            levels,
            memory: BTreeMap::new(),
            head_id: 1_u64.wrapping_add(1 << DESC_BITS).wrapping_neg() & ID,
            head: (1_u64 << TEXT_BITS).wrapping_neg(),
            records: VecDeque::new(),
            sequence: 0,
            tables: TABLES,
        };
        log.map(IMAGE.0, IMAGE.1, 2);
        log.map(DIRECT.0, DIRECT.1, 3);
        for page in 0..1 << (TEXT_BITS - 12) {
            log.map(TEXTS + page * PAGE, Self::text_page(page), 1);
        }
        log.put(IMAGE.1 + PRB, IMAGE.0 + RING);
        let (descs, texts) = (IMAGE.1 + RING + 16, IMAGE.1 + RING + 80);
        log.put_bytes(descs + 4, &DESC_BITS.to_le_bytes());
        log.put(descs + 16, DIRECT.0 + DESCS);
        log.put(descs + 8, DIRECT.0 + INFOS);
        log.put_bytes(texts, &TEXT_BITS.to_le_bytes());
        log.put(texts + 16, TEXTS);
        log.put_ends();
        log
    }

    /// Physical address of the page `number` of the texts.
    #[must_use]
    pub const fn text_page(number: u64) -> u64 {
        TEXT_PAGES - number * 3 * PAGE
    }

    /// Maps the virtual address by an entry of the table of this level.
    fn map(&mut self, virtual_address: u64, physical: u64, level: u32) {
        let mut table = IMAGE.1 + ROOT;
        for above in (level + 1..=self.levels).rev() {
            let at = table + (virtual_address >> (12 + 9 * (above - 1)) & 0x1ff) * 8;
            if self.get(at) == 0 {
                self.put(at, self.tables | 0x8000_0000_0000_0063);
                self.tables += PAGE;
            }
            table = self.get(at) & 0x000f_ffff_ffff_f000;
        }
        let large = if level > 1 { 0x80 } else { 0 };
        let at = table + (virtual_address >> (12 + 9 * (level - 1)) & 0x1ff) * 8;
        self.put(at, physical | 0x8000_0000_0000_0063 | large);
    }

    fn put_bytes(&mut self, physical: u64, bytes: &[u8]) {
        for (at, byte) in (physical..).zip(bytes) {
            let page = self.memory.entry(at / PAGE).or_insert_with(|| vec![0; PAGE as usize]);
            page[(at % PAGE) as usize] = *byte;
        }
    }

    fn put(&mut self, physical: u64, value: u64) {
        self.put_bytes(physical, &value.to_le_bytes());
    }

    fn get(&self, physical: u64) -> u64 {
        let Some(page) = self.memory.get(&(physical / PAGE)) else { return 0 };
        let at = (physical % PAGE) as usize;
        u64::from_le_bytes(page[at..at + 8].try_into().expect("8 bytes"))
    }

    fn put_ends(&mut self) {
        let tail = self.records.front().map_or(self.head_id, |(id, ..)| *id);
        self.put(IMAGE.1 + RING + 16 + 32, self.head_id);
        self.put(IMAGE.1 + RING + 16 + 24, tail);
    }

    /// One more record: when, how important, from whom, of which device.
    #[must_use]
    pub fn line(self, time: u64, level: u8, facility: u8, device: &str, text: &str) -> Self {
        self.record(2, time, level, facility, device, text)
    }

    /// One that is still being written.
    #[must_use]
    pub fn reserved(self, text: &str) -> Self {
        self.record(0, 0, 0, 0, "", text)
    }

    fn record(
        mut self,
        state: u64,
        time: u64,
        level: u8,
        facility: u8,
        device: &str,
        text: &str,
    ) -> Self {
        let size = 1_u64 << TEXT_BITS;
        let (mut begin, mut next) = (3, 3);
        if !text.is_empty() {
            begin = self.head;
            let length = (8 + text.len() as u64).next_multiple_of(8);
            next = begin.wrapping_add(length);
            if next.wrapping_sub(1) >> TEXT_BITS != begin >> TEXT_BITS {
                next = (next >> TEXT_BITS << TEXT_BITS).wrapping_add(length);
            }
            self.head = next;
        }
        // The oldest make room.
        let limit = self.head.wrapping_sub(size);
        let is_gone =
            |(_, begin, _): &(u64, u64, u64)| *begin != 3 && (begin.wrapping_sub(limit) as i64) < 0;
        while self.records.len() == 1 << DESC_BITS || self.records.front().is_some_and(is_gone) {
            let Some((id, ..)) = self.records.pop_front() else { break };
            self.put(Self::desc(id) + 8, id | 3 << 62);
        }
        self.head_id = (self.head_id + 1) & ID;
        let id = self.head_id;
        self.records.push_back((id, begin, next));
        let desc = Self::desc(id);
        self.put(desc + 8, id | state << 62);
        self.put(desc + 24, begin);
        self.put(desc + 32, next);
        if !text.is_empty() {
            let is_wrapped = next.wrapping_sub(1) >> TEXT_BITS != begin >> TEXT_BITS;
            let start = if is_wrapped { 0 } else { begin & (size - 1) };
            let block = [&id.to_le_bytes(), text.as_bytes()].concat();
            for (at, byte) in (start..).zip(&block) {
                self.put_bytes(Self::text_page(at / PAGE) + at % PAGE, &[*byte]);
            }
        }
        let info = DIRECT.1 + INFOS + (id & ((1 << DESC_BITS) - 1)) * INFO_SIZE;
        self.put(info, time);
        self.put(info + 8, self.sequence);
        self.sequence += 1;
        self.put_bytes(info + 18, &(text.len() as u16).to_le_bytes());
        self.put_bytes(info + 20, &[facility, level << 5 | 2]);
        let mut name = [0; 48];
        name[..device.len()].copy_from_slice(device.as_bytes());
        self.put_bytes(info + 32, &name);
        self.put_ends();
        self
    }

    /// Where the descriptor of a record is.
    fn desc(id: u64) -> u64 {
        DIRECT.1 + DESCS + (id & ((1 << DESC_BITS) - 1)) * DESC_SIZE
    }

    /// The same with a number of 8 bytes in the image, such as what the ring has in it.
    #[must_use]
    pub fn with_number(mut self, offset: u64, value: u64) -> Self {
        self.put(IMAGE.1 + RING + offset, value);
        self
    }

    /// What VMCOREINFO says of it.
    #[must_use]
    pub fn vmcoreinfo(&self) -> String {
        assert_eq!(PHYS_BASE, 553_648_128);
        format!("{INFO}NUMBER(pgtable_l5_enabled)={}\n", u32::from(self.levels == 5))
    }

    /// The pages: their numbers, and what is in them.
    #[must_use]
    pub fn pages(&self) -> &BTreeMap<u64, Vec<u8>> {
        &self.memory
    }

    /// The same as ranges of an ELF file; with the virtual addresses of those that have one
    /// if `has_virtual`.
    #[must_use]
    pub fn loads(&self, has_virtual: bool) -> Vec<Load> {
        let texts =
            |physical| (0..1 << (TEXT_BITS - 12)).find(|page| Self::text_page(*page) == physical);
        let load = |(number, page): (&u64, &Vec<u8>)| {
            let physical = number * PAGE;
            let virtual_address = match physical {
                _ if !has_virtual => 0,
                0x2420_0000..0x2440_0000 => physical - IMAGE.1 + IMAGE.0,
                0x4000_0000.. => physical - DIRECT.1 + DIRECT.0,
                _ => texts(physical).map_or(0, |page| TEXTS + page * PAGE),
            };
            Load { virtual_address, ..Load::new(physical, page.clone()) }
        };
        self.memory.iter().map(load).collect()
    }
}
