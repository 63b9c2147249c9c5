// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Readers race with drivers that add dumps, for a minute or less on two CPUs: whoever
//! opens a file reads the bytes of that moment, whatever is added meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use system_tests::crash_header::{Load, OLD, OLD_SIZE, boot_with_header, core_header};
use system_tests::{Modules, Result, fault, names, output};
use vmtest::{Kernel, Run, Series};

/// Of some dumps there is no place in `/proc/vmcore`, whose manifest grows all the
/// same.
fn script(seconds: u32) -> String {
    // What is added in a minute does not fit into this much.
    let inline_kib = 65536 * seconds / 60;
    format!(
        "
    vmtest-guest digest /proc/vmcore >/ports/before
    insmod /modules/vmcoredd.ko inline_kib={inline_kib}
    # Each dump is a line in the log, but need not be one on the console.
    dmesg -n 5
    race() {{ vmtest-guest race /proc/$1 --seconds 600 --stop /tmp/added --seed $2 >/ports/race-$1; }}
    race vmcore 1 &
    first=$!
    race vmcoredd 2 &
    second=$!
    # They are to have the files open as they are without a dump.
    sleep 1
    echo '@@ adding'
    insmod /modules/racer.ko seconds={seconds}
    touch /tmp/added
    echo '@@ added'
    wait $first
    wait $second
    rmmod racer
    vmtest-guest digest /proc/vmcore >/ports/after
    cat /proc/vmcoredd >/ports/vmcoredd
"
    )
}

/// How long drivers add dumps.
fn seconds(series: Series) -> u32 {
    if [Series::V6_12, Series::V6_1].contains(&series) { 60 } else { 20 }
}

/// What must have happened in a minute, at least, so that this was a race.
const OPENS: u64 = 50;
const DUMPS: u64 = 1000;

fn run(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let modules = Modules::build(&kernel)?;
    let name = format!("race-{series}");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
    // The second range is not on whole pages, and not where it is said to be.
    let second = OLD + (3 << 20) + 0x400;
    let moved = Load { physical: second - 0x1000_0000, ..Load::new(second, 0x12345) };
    let header = core_header(&[Load::new(OLD, 3 << 20), moved]);
    let vm = ["before", "after", "race-vmcore", "race-vmcoredd", "vmcoredd"]
        .into_iter()
        .fold(boot_with_header(&kernel, &name, &directory, &header)?, |vm, port| vm.port(port));
    // With an instruction for checksums, and without.
    let processor = match series {
        Series::V6_1 => "qemu64",
        _ => "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt",
    };
    Ok(vm
        .qemu_arg("-cpu")
        .qemu_arg(processor)
        .append(&format!("memmap={OLD_SIZE:#x}${OLD:#x} log_buf_len=4M"))
        .file(modules.vmcoredd(), "/modules/vmcoredd.ko")
        .file(modules.test_module("racer")?, "/modules/racer.ko")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .time_limit(Duration::from_secs(300))
        .script(&script(seconds(series)))
        .run()?)
}

/// The number before `what` in the summary of a race.
fn number(summary: &str, what: &str) -> u64 {
    let (before, _) = summary.split_once(what).unwrap_or_else(|| panic!("{summary}"));
    before.rsplit(' ').next().unwrap_or_default().parse().unwrap_or_else(|_| panic!("{summary}"))
}

fn readers_see_the_file_that_they_opened(series: Series) {
    let run = run(series).unwrap();
    let share = |of_a_minute: u64| of_a_minute * u64::from(seconds(series)) / 60;
    let text = |port| fs::read_to_string(run.port(port)).unwrap();
    assert_eq!(fault(run.dmesg()), None);
    assert_eq!(text("before").lines().count(), 2);
    assert_eq!(text("before"), text("after"));

    let names = names(run.port("vmcoredd")).unwrap();
    let added = format!("racer: {} dumps", names.len());
    assert!(run.dmesg().contains(&added), "{} dumps: {}", names.len(), run.dmesg());
    assert!(names.len() as u64 >= share(DUMPS), "{} dumps", names.len());
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert!(names.iter().any(|name| name.starts_with("shared-") && name.contains('#')));
    let mut check = Command::new(vmtest::guest_program().unwrap());
    let checked = output(check.arg("race").arg(run.port("vmcoredd")).args(["--seconds", "0"]));
    let checked = checked.unwrap();
    assert_eq!(number(&checked, " dumps,"), names.len() as u64);

    for port in ["race-vmcore", "race-vmcoredd"] {
        let summary = text(port);
        println!("{series}: {port}: {summary}");
        assert!(summary.ends_with("race: ok\n"), "{summary}");
        assert!(number(&summary, " opens,") >= share(OPENS), "{summary}");
        assert!(number(&summary, " with more dumps") >= share(OPENS) / 2, "{summary}");
    }
    assert_eq!(number(&text("race-vmcoredd"), " dumps,"), names.len() as u64);
    let inline = number(&text("race-vmcore"), " dumps,");
    assert!((1..names.len() as u64).contains(&inline), "{}", text("race-vmcore"));
}

system_tests::on_each_kernel! {
    readers_see_the_file_that_they_opened
}
