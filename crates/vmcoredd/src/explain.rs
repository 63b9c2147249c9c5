// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! `vmcoredd explain`.

mod json;
mod since;

use std::io::Write;
use std::path::PathBuf;

use crash_id::Signature;
use decode::compare::How;
use decode::dead_log;
use decode::model::{Decoded, Missing, Severity};
use decode::syndrome::Syndrome;
use decode::verdict::{Entry, Unread, Verdict};
use kdumpfile::{Dump, Escaped, EscapedPath, Record, status_word};
use profile::Library;
use since::{Changed, Since};

use crate::dead_kernel::{self, Identity};
use crate::difference::shown;
use crate::failure::{Exit, Failure};
use crate::finding::{print_details, print_head, safe};
use crate::outcome::{self, OTHERS_SHOWN};
use crate::own_profiles::Directory;
use crate::payload;
use crate::read::{self, Contents};

/// How many parts of one device that were not read for one reason are named.
const UNREAD_SHOWN: usize = 6;

/// Say what the device dumps of a file mean: what is abnormal, the worst first
///
/// Each finding has the device, what is wrong, the registers that say so, what else in the
/// file supports it, such as the last lines of the dead kernel's log that name the device,
/// where the rule is from, and what to do. Then comes what was not read, and why, and what
/// changed since the machine was healthy, where a snapshot of that is kept. Findings that are
/// only good to know are counted, and shown with --all.
///
/// Before them is which crash it is (see vmcoredd-info), why the kernel panicked, and which
/// errors of hardware were found, in words that crashes of one cause have in common.
///
/// The exit status is 1 where something fatal was found.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub struct Arguments {
    /// The dumps; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Show what is only good to know, too
    #[arg(short, long)]
    all: bool,
    /// Print a JSON object for each file, on a line of its own
    #[arg(long)]
    json: bool,
    /// Say what changed since the newest snapshot in DIRECTORY from before the crash
    ///
    /// vmcoredd-baseline.timer keeps snapshots in /var/lib/vmcoredd/baseline. Without this,
    /// that is used for files below /var/crash alone: no other is known to be of this machine.
    #[arg(long, value_name = "DIRECTORY")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    profiles: Directory,
}

/// Explains every file.
pub fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    let mut library = arguments.profiles.library()?;
    let mut stdout = crate::stdout::UntilClosed::new(anstream::stdout().lock());
    let mut is_first = true;
    read::each_file(&arguments.files, |_, dump| {
        let Ok(dump) = dump else { return Ok(Exit::Done) };
        let contents = Contents::read(dump);
        let (baseline, found) = since::find(arguments.baseline.as_deref(), dump);
        let mut since = baseline.as_ref().map(Since::new);
        let mut syndrome = Syndrome::default();
        let (mut decoded, unknown) =
            decoded(dump, &contents, &mut library, since.as_mut(), &mut syndrome)?;
        let (records, log_unread) = dead_kernel::log(dump)?;
        let log = records.as_ref().map(dead_kernel::lines_of_devices);
        let identity = Identity::new(dump, records.as_ref());
        if let Some(log) = &log {
            let decoded_log = Decoded { nodes: Vec::new(), ..log.decode() };
            decoded.push((dead_log::NAME.to_owned(), decoded_log));
        }
        let mut verdict =
            Verdict::new(decoded.iter().map(|(name, decoded)| (name.as_str(), decoded)));
        if let Some(log) = &log {
            verdict.support_by(log);
        }
        verdict.unread.extend(without_dump(&contents));
        verdict.unread.extend(log_unread);
        if let Some(since) = &since {
            since.support(&mut verdict);
        }
        if arguments.json {
            let identity = (&identity, &syndrome);
            json::print(&mut stdout, dump.path(), identity, &verdict, &unknown, since.as_ref())?;
        } else {
            if !is_first {
                writeln!(stdout)?;
            }
            is_first = false;
            let identity = (&identity, &syndrome);
            print(&mut stdout, arguments, dump, &contents, identity, &verdict, &unknown)?;
            since.as_ref().map_or(Ok(()), |since| print_since(&mut stdout, since))?;
        }
        stdout.flush()?;
        let status = match verdict.worst() {
            Some(Severity::Fatal) => Exit::Negative,
            _ => Exit::Done,
        };
        Ok(status.max(found).max(contents.complain(dump.path())))
    })
}

/// What each dump says, with its name, and the names of those that nothing decodes.
type AllDecoded = (Vec<(String, Decoded)>, Vec<String>);

fn decoded(
    dump: &Dump,
    contents: &Contents<'_>,
    library: &mut Library,
    mut since: Option<&mut Since<'_>>,
    syndrome: &mut Syndrome,
) -> Result<AllDecoded, Failure> {
    let memory = payload::memory(dump);
    let mut all = Vec::new();
    let mut unknown = Vec::new();
    for device_dump in &contents.device_dumps {
        let name = Escaped(device_dump.name()).to_string();
        let before = all.len();
        payload::each_decoded(device_dump, library, memory.as_ref(), |mut decoded| {
            syndrome.add(&decoded);
            // Only what is said of it is held: the values of all dumps may be many.
            if since.is_none() {
                decoded.nodes = Vec::new();
            }
            all.push((name.clone(), decoded));
        })?;
        if let Some(since) = &mut since {
            let of_it = all.get_mut(before..).unwrap_or_default();
            since.compare(device_dump, of_it.iter().map(|(_, decoded)| decoded), library)?;
            of_it.iter_mut().for_each(|(_, decoded)| decoded.nodes = Vec::new());
        }
        if all.len() == before {
            unknown.push(name);
        }
    }
    Ok((all, unknown))
}

/// The collections that left no device dump, such as that of a device that the
/// configuration leaves out.
fn without_dump(contents: &Contents<'_>) -> Vec<Unread> {
    let matched = contents.manifest.matched(&contents.device_dumps);
    let unread = |record: Record<'_>| Unread {
        dump: outcome::cut(record.name()),
        slot: None,
        missing: Missing {
            what: status_word(record.status()).to_owned(),
            why: outcome::recorded_reason(&record).unwrap_or_else(|| "no reason".to_owned()),
        },
    };
    matched.others().take(OTHERS_SHOWN).map(unread).collect()
}

fn print(
    to: &mut impl Write,
    arguments: &Arguments,
    dump: &Dump,
    contents: &Contents<'_>,
    (identity, syndrome): (&Identity, &Syndrome),
    verdict: &Verdict,
    unknown: &[String],
) -> Result<(), Failure> {
    let count = |severity, one: &str, many: &str| match verdict.count(severity) {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    };
    let counts = [
        count(Severity::Fatal, "fatal", "fatal"),
        count(Severity::Error, "error", "errors"),
        count(Severity::Warning, "warning", "warnings"),
        count(Severity::Info, "good to know", "good to know"),
    ];
    let counts: Vec<_> = counts.into_iter().flatten().collect();
    let counts = if counts.is_empty() { "nothing abnormal".to_owned() } else { counts.join(", ") };
    let dumps = contents.device_dumps.len();
    writeln!(to, "{}: {counts} in {dumps} device dumps", EscapedPath(dump.path()))?;
    for (key, value) in [
        ("crash:", identity.crash.map(|id| id.to_string())),
        ("panic:", identity.signature.as_ref().map(Signature::fine)),
        ("hardware:", Some(syndrome.coarse()).filter(|syndrome| !syndrome.is_empty())),
    ] {
        if let Some(value) = value {
            writeln!(to, "{key:<9} {value}")?;
        }
    }
    for entry in &verdict.entries {
        if arguments.all || entry.finding.severity > Severity::Info {
            self::entry(to, entry)?;
        }
    }
    if !verdict.unread.is_empty() {
        writeln!(to, "\nnot read:")?;
        // What is missing of one device for one reason is one line.
        let of = |unread: &Unread| (unread.slot.clone(), unread.dump.clone());
        let is_same =
            |one: &Unread, two: &Unread| of(one) == of(two) && one.missing.why == two.missing.why;
        for together in verdict.unread.chunk_by(is_same) {
            let Some(first) = together.first() else { continue };
            let device = first.slot.as_ref().unwrap_or(&first.dump);
            let shown = together.iter().take(UNREAD_SHOWN);
            let mut what: Vec<_> = shown.map(|unread| unread.missing.what.clone()).collect();
            if together.len() > UNREAD_SHOWN {
                what.push(format!("{} more", together.len() - UNREAD_SHOWN));
            }
            writeln!(to, "  {device}: {}: {}", what.join(", "), first.missing.why)?;
        }
    }
    if !unknown.is_empty() {
        writeln!(to, "\nnot decoded: {}", unknown.join(", "))?;
    }
    Ok(())
}

/// What changed since the machine was healthy.
fn print_since(to: &mut impl Write, since: &Since<'_>) -> Result<(), Failure> {
    writeln!(to, "\nchanged since {}:", since.baseline)?;
    if since.changed.is_empty() {
        writeln!(to, "  nothing that is the same each time")?;
    }
    for Changed { dump, change, more } in &since.changed {
        let of = format!("{} ({dump})", safe(&change.of));
        match &change.how {
            How::Gone => writeln!(to, "  {of}: it was there")?,
            How::New => writeln!(to, "  {of}: it was not there")?,
            How::Values(values) => {
                writeln!(to, "  {of}")?;
                for difference in values {
                    writeln!(to, "    {}", shown(difference))?;
                }
            }
        }
        if *more > 0 {
            writeln!(to, "    {more} more values: vmcoredd diff --fields")?;
        }
    }
    if since.more > 0 {
        writeln!(to, "  {} more devices: vmcoredd diff --fields", since.more)?;
    }
    Ok(())
}

/// One finding.
fn entry(to: &mut impl Write, entry: &Entry) -> Result<(), Failure> {
    writeln!(to)?;
    print_head(to, &entry.finding, Some(&entry.of()), 0)?;
    print_details(to, &entry.finding, &entry.support, 4)?;
    Ok(())
}
