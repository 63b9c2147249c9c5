// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! What `profile show` and `profile list` print.

use std::io::{self, Write};

use ::profile::{Block, DriverDump, Profile, class_word, match_words, space_word};
use anstyle::Style;

use crate::failure::{Exit, Failure};
use crate::table::{Align, Column, Table};

/// The columns of what is read, in its order.
const READS: [Column; 7] = [
    ("READ", Align::Right),
    ("CLASS", Align::Left),
    ("BLOCK", Align::Left),
    ("WHERE", Align::Left),
    ("LENGTH", Align::Left),
    ("BITS", Align::Right),
    ("IF", Align::Left),
];

/// The columns of the list.
const LIST: [Column; 7] = [
    ("NAME", Align::Left),
    ("VERSION", Align::Right),
    ("CLASS", Align::Left),
    ("FROM", Align::Left),
    ("PLAN", Align::Right),
    ("FOR", Align::Left),
    ("TITLE", Align::Left),
];

/// How many devices are named.
const MATCHES_SHOWN: usize = 2;

/// Prints what a profile reads.
pub fn print(profile: &Profile) -> Result<Exit, Failure> {
    let mut to = crate::stdout::lock();
    let title = ascii(&profile.title);
    writeln!(to, "{} version {}: {title}", profile.name, profile.version)?;
    let all: Vec<_> = profile.matches.iter().map(match_words).collect();
    writeln!(to, "for {}", all.join(", "))?;
    for DriverDump { driver, bar, at } in &profile.dumps {
        writeln!(to, "for dumps of the driver {}: BAR {bar} from {at:#x} on", ascii(driver))?;
    }
    for source in &profile.sources {
        writeln!(to, "from {}", ascii(source))?;
    }
    writeln!(to)?;
    let rows: Vec<_> = (0..).zip(profile.reads()).map(|read| read_row(profile, read)).collect();
    let table = Table { columns: &READS, always: READS.len() - 1 };
    table.print(&mut to, || rows.iter().cloned(), |_, _| Style::new())?;
    print_left_out(&mut to, profile)?;
    for (never, why) in &profile.nevers {
        let space = space_word(never.space);
        let (index, start) = (never.index, never.start);
        let end = match never.end {
            u64::MAX => "the end".to_owned(),
            end => format!("{end:#x}"),
        };
        writeln!(to, "never: {space} {index} from {start:#x} to {end}: {}", ascii(why))?;
    }
    to.flush()?;
    Ok(Exit::Done)
}

fn read_row(profile: &Profile, (number, block): (u32, Option<&Block>)) -> [String; READS.len()] {
    let Some(block) = block else {
        let words = ["pure", "", "configuration space", "256 or 4096 bytes", "32", ""];
        let [class, name, place, length, bits, condition] = words.map(str::to_owned);
        return [number.to_string(), class, name, place, length, bits, condition];
    };
    let area = block.location.area;
    let unit = if area.bytes() == 8 { "registers" } else { "bytes" };
    let mut length = format!("{} {unit}", profile.shown(&block.length));
    if let Some(array) = &block.array {
        let count = profile.shown(&array.count);
        length = format!("{count} times {length}, {:#x} apart", array.stride);
        if let Some(bits) = &array.bits {
            length = format!("{length}, those in {}", profile.shown(bits));
        }
    }
    [
        number.to_string(),
        class_word(block.class).to_owned(),
        block.name.clone(),
        profile.place(area, &block.location.at),
        length,
        (u32::from(block.width.bytes()) * 8).to_string(),
        block.condition.as_ref().map(|each| profile.shown(each)).unwrap_or_default(),
    ]
}

/// Registers that are not read as the rest of their blocks.
fn print_left_out(to: &mut impl Write, profile: &Profile) -> io::Result<()> {
    for block in profile.blocks.iter().filter(|block| !block.is_view) {
        for register in &block.registers {
            if let Some(how) = profile.reading(register, block.class) {
                writeln!(to, "left out: {}.{}: {how}", block.name, register.name)?;
            }
        }
    }
    Ok(())
}

/// A row of the list.
pub fn row(profile: &Profile, plan: usize, from: &str) -> [String; LIST.len()] {
    let shown = profile.matches.iter().take(MATCHES_SHOWN).map(match_words);
    let mut matches = shown.collect::<Vec<_>>().join(", ");
    if let Some(more @ 1..) = profile.matches.len().checked_sub(MATCHES_SHOWN) {
        matches = format!("{matches} and {more} more");
    }
    [
        profile.name.clone(),
        profile.version.to_string(),
        class_word(profile.class()).to_owned(),
        from.to_owned(),
        plan.to_string(),
        matches,
        ascii(&profile.title),
    ]
}

/// Prints the list.
pub fn print_list(rows: &[[String; LIST.len()]]) -> Result<(), Failure> {
    let mut to = crate::stdout::lock();
    let table = Table { columns: &LIST, always: LIST.len() };
    table.print(&mut to, || rows.iter().cloned(), |_, _| Style::new())?;
    Ok(to.flush()?)
}

/// Text of a profile, which may have any characters.
fn ascii(text: &str) -> String {
    kdumpfile::Escaped(text.as_bytes()).to_string()
}
