// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Makes the table of a Chelsio chip's registers that the crate has, as `src/cudbg/t6.table`:
//!
//!     cargo run --example cudbg_registers -- t6 reg_defs_t6.c t4_hw.c >t6.table
//!
//! Names, addresses and fields are those of FreeBSD's `usr.sbin/cxgbetool/reg_defs_t6.c`; the
//! registers that there are in a dump are those of the array `t6_reg_ranges` in Linux'
//! `drivers/net/ethernet/chelsio/cxgb4/t4_hw.c`.
//!
//! The table is text, deflated (zlib), with a line for each register in the order of their
//! addresses: how many bytes it is after the one before, hexadecimal, its name, and its
//! fields, each as `name:lowest bit+width`. A line with the fields of an earlier one has `=`
//! and the number of that list of fields instead. Registers with the same name are numbered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::error::Error;
use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

#[derive(Debug, Default)]
struct Register {
    name: String,
    fields: Vec<String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [chip, definitions, driver] = &arguments[..] else {
        return Err("usage: cudbg_registers t5|t6 REG_DEFS.C T4_HW.C >TABLE".into());
    };
    let ranges = ranges(&std::fs::read_to_string(driver)?, chip)?;
    let registers = registers(&std::fs::read_to_string(definitions)?, &ranges)?;
    let mut encoder = ZlibEncoder::new(std::io::stdout(), Compression::best());
    encoder.write_all(table(&registers).as_bytes())?;
    encoder.finish()?;
    Ok(())
}

/// The first and the last addresses of what the driver reads.
fn ranges(driver: &str, chip: &str) -> Result<Vec<(u32, u32)>, Box<dyn Error>> {
    let start = format!("{chip}_reg_ranges[] = {{");
    let (_, rest) = driver.split_once(&start).ok_or("the driver has no such ranges")?;
    let (body, _) = rest.split_once('}').ok_or("the ranges have no end")?;
    let numbers = body.split(',').map(str::trim).filter(|number| !number.is_empty());
    let numbers: Vec<u32> = numbers.map(hexadecimal).collect::<Result<_, _>>()?;
    Ok(numbers.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
}

fn hexadecimal(number: &str) -> Result<u32, Box<dyn Error>> {
    let digits = number.strip_prefix("0x").ok_or_else(|| format!("no address: {number}"))?;
    Ok(u32::from_str_radix(digits, 16)?)
}

/// The registers in `ranges`, of several at one address the first.
fn registers(
    definitions: &str,
    ranges: &[(u32, u32)],
) -> Result<BTreeMap<u32, Register>, Box<dyn Error>> {
    let mut registers: BTreeMap<u32, Register> = BTreeMap::new();
    let mut names: HashMap<String, BTreeSet<u32>> = HashMap::new();
    // Where the fields that follow belong.
    let mut current = None;
    for line in definitions.lines() {
        let Some(entry) = line.trim().strip_prefix("{ \"") else { continue };
        let (name, rest) = entry.split_once('"').ok_or_else(|| format!("no name: {line}"))?;
        if name.is_empty() || name.contains([' ', ':', '+', '=']) {
            return Err(format!("not a name: {line}").into());
        }
        let numbers: Vec<&str> =
            rest.trim_matches([',', ' ', '}']).split(',').map(str::trim).collect();
        let &[first, second] = &numbers[..] else { return Err(format!("numbers: {line}").into()) };
        if !line.starts_with("\t\t") {
            let address = hexadecimal(first)?;
            let is_read = ranges.iter().any(|(from, to)| (*from..=*to).contains(&address));
            current = (is_read && !registers.contains_key(&address)).then_some(address);
            if current.is_some() {
                registers.insert(address, Register { name: name.to_owned(), fields: Vec::new() });
                names.entry(name.to_owned()).or_default().insert(address);
            }
            continue;
        }
        let Some(register) = current.and_then(|address| registers.get_mut(&address)) else {
            continue;
        };
        let (low, width): (u32, u32) = (first.parse()?, second.parse()?);
        if width == 0 || low + width > 32 {
            return Err(format!("not bits of 32: {line}").into());
        }
        let is = |field: &String| field.split(':').next() == Some(name);
        let name = match register.fields.iter().any(is) {
            true => format!("{name}@{low}"),
            false => name.to_owned(),
        };
        register.fields.push(format!("{name}:{low}+{width}"));
    }
    for (name, addresses) in names.iter().filter(|(_, addresses)| addresses.len() > 1) {
        for (index, address) in addresses.iter().enumerate() {
            if let Some(register) = registers.get_mut(address) {
                register.name = format!("{name}[{index}]");
            }
        }
    }
    Ok(registers)
}

fn table(registers: &BTreeMap<u32, Register>) -> String {
    let mut text = String::new();
    let mut lists: HashMap<String, usize> = HashMap::new();
    let mut before = 0;
    for (address, register) in registers {
        text += &format!("{:x} {}", address - before, register.name);
        before = *address;
        let fields = register.fields.join(" ");
        match lists.get(&fields) {
            _ if fields.is_empty() => {}
            Some(number) => text += &format!(" ={number}"),
            None => {
                text += &format!(" {fields}");
                lists.insert(fields, lists.len());
            }
        }
        text.push('\n');
    }
    text
}
