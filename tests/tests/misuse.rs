// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Drivers that ask for what cannot be are refused, with a line in the log that
//! says why; what was there before and comes later is kept as it is.

use std::fs;
use std::path::Path;

use system_tests::{
    Modules, OnEachKernel, Result, fault, names, names_before_memory, outcome, payload,
};
use vmtest::{Boot, Kernel, PanicCycle, Run, Series, Vm};

/// What `tests/modules/misuse` does, first of all with `greedy`, what each call returned, and what the
/// module says meanwhile.
const CASES: &[(&str, i32, &[&str])] = &[
    ("more than is free", ENOMEM, &["too-much: failed, no memory is left for it"]),
    ("the largest size", EFBIG, &["largest: refused, it is longer than a note can say"]),
    ("no data", EINVAL, &["a device dump: refused, nothing says what to collect"]),
    ("empty name", EINVAL, &["a device dump: refused, its name is empty"]),
    ("unterminated name", EINVAL, &["a device dump: refused, its name is longer than 43 bytes"]),
    ("no size", EINVAL, &["no-size: refused, its size is 0"]),
    ("no callback", EINVAL, &["no-callback: refused, it has no callback"]),
    ("failing callback", EIO, &["failing: failed, its collector gave error -5"]),
    ("control characters", 0, &["a?b?[31m??: complete, 16 bytes"]),
    ("a path", 0, &["..!nvme0!ctrl: complete, 18 bytes"]),
    ("the longest name", 0, &["0123456789abcdef0123456789abcdef0123456789a: complete, 16 bytes"]),
    (
        "the longest name again",
        0,
        &["0123456789abcdef0123456789abcdef012345678#2: complete, 17 bytes"],
    ),
    ("a name", 0, &["twice: complete, 20 bytes"]),
    ("the same name", 0, &["twice#2: complete, 21 bytes"]),
    ("an add within an add", 0, &["inner: complete, 10 bytes", "outer: complete, 30 bytes"]),
    ("nothing written", 0, &["zeros: complete, 70000 bytes"]),
    ("size 1", 0, &["size-1: complete, 1 bytes"]),
    ("size 4032", 0, &["size-4032: complete, 4032 bytes"]),
    ("size 4033", 0, &["size-4033: complete, 4033 bytes"]),
    ("size 65536", 0, &["size-65536: complete, 65536 bytes"]),
    ("size 65537", 0, &["size-65537: complete, 65537 bytes"]),
    ("size 4194304", 0, &["size-4194304: complete, 4194304 bytes"]),
    ("no collector", EINVAL, &["a device dump: refused, nothing says what to collect"]),
    ("pieces of no module", EINVAL, &["no-owner: refused, its module is not named"]),
    ("pieces without a name", EINVAL, &["a device dump: refused, its name is empty"]),
    ("pieces with an empty name", EINVAL, &["a device dump: refused, its name is empty"]),
    (
        "pieces with a long name",
        EINVAL,
        &["a device dump: refused, its name is longer than 43 bytes"],
    ),
    ("pieces without a callback", EINVAL, &["no-pieces: refused, it has no callback"]),
    ("no pieces", EINVAL, &["nothing: refused, its collector wrote nothing"]),
    (
        "failing after its pieces",
        EIO,
        &["fails: partial, its collector gave error -5, 131074 bytes"],
    ),
    ("pieces", 0, &["pieces: complete, 131074 bytes"]),
    ("pieces from nowhere", 0, &["nowhere: complete, 5 bytes"]),
    ("a piece from nowhere", EINVAL, &[]),
    ("a piece to nowhere", EINVAL, &[]),
    ("pieces in a hurry", 0, &["hasty: complete, 4 bytes"]),
    ("time left", 1, &[]),
    ("no time of nobody", 0, &[]),
];
const EIO: i32 = -5;
const ENOMEM: i32 = -12;
const EINVAL: i32 = -22;
const EFBIG: i32 = -27;

/// The last case: so many dumps of one name and size.
const MANY: usize = 300;
const MANY_SIZE: u32 = 100;

/// Everything that is asked of the files while and after dumps are added.
///
/// Where there is a second CPU, a reader copies the file over and over
/// meanwhile; each copy must be whole, and the start of what came later.
const SCRIPT: &str = "
    insmod /modules/vmcoredd.ko
    insmod /modules/misuse.ko greedy=1
    rmmod misuse
    cat /proc/vmcoredd >/tmp/empty
    exec 3</proc/vmcoredd
    head -c 100 <&3 >/tmp/opened-before
    mkdir /tmp/copies
    {
        until [ -e /tmp/added ]; do
            [ $(ls /tmp/copies | wc -l) -lt 6 ] || continue
            cat /proc/vmcoredd >/tmp/copy
            mv /tmp/copy /tmp/copies/$(stat -c %s /tmp/copy)
        done
    } &
    echo '@@ adding'
    insmod /modules/misuse.ko
    touch /tmp/added
    wait $!

    echo '@@ comparing'
    cat <&3 >>/tmp/opened-before
    cmp /tmp/empty /tmp/opened-before
    cat /proc/vmcoredd >/tmp/vmcoredd
    notes() { hexdump -s 96 -n 4 -e '1/4 \"%d\"' $1; }
    manifest() { strings -t d -n 8 $1 | awk '$2 == \"VMCOREDD\" { print $1 - 12 }' | tail -n 1; }
    for copy in /tmp/copies/*; do
        size=$(stat -c %s $copy)
        [ $size -eq $((($(notes $copy) + 8191) / 4096 * 4096)) ]
        dumps=$(manifest $copy)
        [ ! \"$dumps\" ] || cmp -n $((dumps - 4096)) $copy /tmp/vmcoredd 4096 4096
        echo $size
    done >/ports/copies
    stat -c %s /tmp/empty /tmp/vmcoredd >/ports/ends

    echo '@@ reading'
    for file in /proc/vmcoredd /proc/vmcore; do
        [ -e $file ] || continue
        vmtest-guest agree $file --random 1000 --seed 3
        vmtest-guest refuse $file
        head -c 20000 $file >/tmp/start
        dd if=$file bs=1 count=20000 | cmp - /tmp/start
        head -c 5000000 $file >/tmp/start
        for size in 3 63 4095 4097; do
            dd if=$file bs=$size count=$((200000 / size)) >/tmp/blocks
            cmp -n $((200000 / size * size)) /tmp/blocks /tmp/start
        done
        dd if=$file bs=65537 count=70 >/tmp/blocks
        cmp -n 4587590 /tmp/blocks /tmp/start
        for offset in 0x40000000000 0x7ffffffffffff000 0x7ffffffffffffffe; do
            dd if=$file bs=1 skip=$((offset)) count=10 >/tmp/nothing
            [ ! -s /tmp/nothing ]
        done
    done
    cat /tmp/vmcoredd >/ports/vmcoredd
    [ ! -e /proc/vmcore ] || head -c 8000000 /proc/vmcore >/ports/vmcore-start
";

fn prepared<Mode>(vm: Vm<Mode>, modules: &Modules) -> Result<Vm<Mode>> {
    Ok(modules
        .add_to(vm)
        .file(modules.test_module("misuse")?, "/modules/misuse.ko")
        .file(vmtest::guest_program()?, "/bin/vmtest-guest")
        .port("copies")
        .port("ends")
        .port("vmcoredd")
        .port("vmcore-start"))
}

/// Two CPUs in a kernel that serves `/proc/vmcoredd` alone.
fn boot(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let vm = Boot::new(&kernel, &format!("misuse-{series}")).smp(2);
    Ok(prepared(vm, &Modules::build(&kernel)?)?.script(SCRIPT).run()?)
}

/// A crash kernel, which has both files and little memory.
fn panic(series: Series) -> Result<Run> {
    let kernel = Kernel::fetch(series)?;
    let vm = PanicCycle::new(&kernel, &format!("misuse-after-panic-{series}"));
    let vm = vm.crashkernel_mib(192);
    Ok(prepared(vm, &Modules::build(&kernel)?)?.crash_script(SCRIPT).run()?)
}

static BOOTED: OnEachKernel<Run> = OnEachKernel::new(boot);
static PANICKED: OnEachKernel<Run> = OnEachKernel::new(panic);

/// Between what two calls returned stands what the module said of the second.
fn every_call_is_answered_and_explained(run: &Run) {
    let dmesg = run.dmesg();
    let mut said: Vec<&str> = Vec::new();
    let mut cases = CASES.iter();
    let (_, lines) = dmesg.split_once("/proc/vmcore ").unwrap();
    for line in lines.lines().filter_map(|line| Some(line.split_once("] ")?.1)) {
        if let Some(line) = line.strip_prefix("vmcoredd: ") {
            said.push(outcome(line));
        } else if let Some(done) = line.strip_prefix("misuse: ") {
            match cases.next() {
                Some((case, returned, expected)) => {
                    assert_eq!(done, format!("{case}: {returned}"));
                    assert_eq!(said, *expected, "{case}");
                }
                None => many_are_numbered(done, &said),
            }
            said.clear();
        }
    }
    assert_eq!(cases.next(), None, "{dmesg}");
    assert!(dmesg.contains("misuse: many: 0"), "{dmesg}");
    assert_eq!(fault(dmesg), None);
}

fn many_are_numbered(done: &str, said: &[&str]) {
    assert_eq!((done, said.len()), ("many: 0", MANY));
    for (name, line) in many().zip(said) {
        assert_eq!(*line, format!("{name}: complete, {MANY_SIZE} bytes"));
    }
}

fn many() -> impl Iterator<Item = String> {
    let name = |number| if number == 1 { "many".to_owned() } else { format!("many#{number}") };
    (1..=MANY).map(name)
}

/// What a collector of `misuse` writes.
fn pattern(seed: u32, length: u32) -> Vec<u8> {
    (0..length).map(|at| (seed + at + 3 * (at >> 8) + 5 * (at >> 16)) as u8).collect()
}

/// Every dump that must be there, in its place.
fn expected_dumps() -> Vec<(String, Vec<u8>)> {
    let mut dumps = Vec::new();
    for line in CASES.iter().flat_map(|(_, _, said)| *said) {
        let (name, outcome) = line.split_once(": ").unwrap();
        let kept = ["complete", "partial"].iter().any(|status| outcome.starts_with(status));
        let Some(outcome) = outcome.strip_suffix(" bytes").filter(|_| kept) else { continue };
        let (_, length) = outcome.rsplit_once(", ").unwrap();
        let length = length.parse().unwrap();
        let payload = match name {
            "zeros" => vec![0; length as usize],
            "pieces" | "fails" => pattern(0x5a, length),
            "nowhere" => b"right".to_vec(),
            "hasty" => b"tick".to_vec(),
            _ => pattern(length, length),
        };
        dumps.push((name.to_owned(), payload));
    }
    dumps.extend(many().map(|name| (name, pattern(MANY_SIZE, MANY_SIZE))));
    dumps
}

fn dumps_are_what_was_written(file: &Path, names: &[String]) {
    let expected = expected_dumps();
    assert_eq!(names, expected.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    for (name, written) in &expected {
        assert!(payload(file, name).unwrap() == *written, "{name} in {}", file.display());
    }
}

fn the_manifest_tells_what_names_became(run: &Run) {
    let file = fs::read(run.port("vmcoredd")).unwrap();
    for lines in [
        "NAME=a?b?[31m??\nRENAMED=unprintable\nSTATUS=complete\n",
        "NAME=..!nvme0!ctrl\nRENAMED=unprintable\nSTATUS=complete\n",
        "NAME=twice#2\nRENAMED=taken\nSTATUS=complete\n",
        "NAME=\nSTATUS=refused\nREASON=its name is longer than 43 bytes\n",
        "NAME=failing\nSTATUS=failed\nREASON=its collector gave an error\nERRNO=-5\n",
    ] {
        let is_there = file.windows(lines.len()).any(|window| window == lines.as_bytes());
        assert!(is_there, "{lines}");
    }
}

fn a_reader_meanwhile_saw_whole_files(run: &Run) {
    let sizes = |port| -> Vec<u64> {
        let text = fs::read_to_string(run.port(port)).unwrap();
        text.lines().map(|size| size.parse().unwrap()).collect()
    };
    let (copies, ends) = (sizes("copies"), sizes("ends"));
    let meanwhile = copies.iter().any(|size| (ends[0] + 1..ends[1]).contains(size));
    assert!(meanwhile, "none of {copies:?} is between {ends:?}");
}

fn every_way_to_read_agrees(run: &Run, files: usize) {
    let console = run.console();
    assert_eq!(console.matches("agree: ok").count(), files, "{console}");
    assert_eq!(console.matches("refuse: ok").count(), files, "{console}");
}

fn calls(series: Series) {
    every_call_is_answered_and_explained(BOOTED.get(series));
}

fn dumps(series: Series) {
    let file = BOOTED.get(series).port("vmcoredd");
    dumps_are_what_was_written(file, &names(file).unwrap());
    the_manifest_tells_what_names_became(BOOTED.get(series));
}

fn reading(series: Series) {
    every_way_to_read_agrees(BOOTED.get(series), 1);
    a_reader_meanwhile_saw_whole_files(BOOTED.get(series));
}

fn calls_after_panic(series: Series) {
    every_call_is_answered_and_explained(PANICKED.get(series));
}

fn dumps_after_panic(series: Series) {
    let [whole, start] = ["vmcoredd", "vmcore-start"].map(|port| PANICKED.get(series).port(port));
    dumps_are_what_was_written(whole, &names(whole).unwrap());
    dumps_are_what_was_written(start, &names_before_memory(start).unwrap());
}

fn reading_after_panic(series: Series) {
    every_way_to_read_agrees(PANICKED.get(series), 2);
}

system_tests::on_each_kernel! {
    calls
    dumps
    reading
    calls_after_panic
    dumps_after_panic
    reading_after_panic
}
