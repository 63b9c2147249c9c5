// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files that the command writes: who may read them, and what is there when it does not
//! come to its end.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::fs::{XattrFlags, getxattr, setxattr};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use synth::{Class, Endian, Kdump, Vmcore, Width};

use crate::run::{Folder, Outcome, small};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);

fn mode(folder: &Folder, name: &str) -> u32 {
    fs::metadata(folder.path(name)).expect("there").mode() & 0o7777
}

fn set_mode(folder: &Folder, name: &str, mode: u32) {
    fs::set_permissions(folder.path(name), Permissions::from_mode(mode)).expect("changed");
}

fn put(folder: &Folder, name: &str, mode: u32) {
    fs::write(folder.path(name), "old").expect("written");
    set_mode(folder, name, mode);
}

/// Runs the command under a umask, in octal digits.
fn under(umask: &str, folder: &Folder, arguments: &[&str]) -> Outcome {
    let script = format!("umask {umask} && exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_vmcoredd")]).args(arguments);
    let output = command.current_dir(folder.root()).output().expect("runs");
    Outcome::from(output)
}

#[test]
fn a_copy_is_as_private_as_the_vmcore() {
    // The vmcore's, the umask, what is new, what was 0644, what was 0666.
    let cases = [
        (0o600, "022", 0o600, 0o600, 0o600),
        (0o600, "000", 0o600, 0o600, 0o600),
        (0o640, "022", 0o640, 0o640, 0o640),
        (0o640, "077", 0o600, 0o640, 0o640),
        (0o644, "022", 0o644, 0o644, 0o644),
        (0o644, "027", 0o640, 0o644, 0o644),
        (0o666, "002", 0o664, 0o644, 0o666),
        (0o777, "000", 0o666, 0o644, 0o666),
        (0o400, "000", 0o400, 0o400, 0o400),
    ];
    for (vmcore, umask, new, over_644, over_666) in cases {
        let folder = Folder::new().with("vmcore", &small().image());
        set_mode(&folder, "vmcore", vmcore);
        fs::create_dir(folder.path("dir")).expect("created");
        fs::write(folder.path("log"), "text").expect("written");
        put(&folder, "o644", 0o644);
        put(&folder, "o666", 0o666);
        put(&folder, "dir/edu_0000:00:04.0", 0o644);
        put(&folder, "a644", 0o644);
        put(&folder, "secret", 0o600);
        symlink("o644", folder.path("link")).expect("linked");
        let runs: [(&[&str], &str, u32); 8] = [
            (&["extract", "vmcore", "nic0", "-o", "new"], "new", new),
            (&["extract", "vmcore", "nic0", "-C", "dir"], "dir/nic0", new),
            (&["extract", "vmcore", "1", "-C", "dir"], "dir/edu_0000:00:04.0", over_644),
            (&["extract", "vmcore", "nic0", "-o", "link"], "o644", over_644),
            (&["extract", "vmcore", "nic0", "-o", "o666"], "o666", over_666),
            (&["extract", "vmcore", "nic0", "-o", "secret"], "secret", vmcore & 0o600),
            (&["attach", "vmcore", "bmc=log", "-o", "copy"], "copy", new),
            (&["attach", "vmcore", "bmc=log", "-o", "a644"], "a644", over_644),
        ];
        for (arguments, file, expected) in runs {
            let outcome = under(umask, &folder, arguments);
            assert_eq!(outcome.status, Some(0), "{outcome:?}");
            let found = mode(&folder, file);
            assert_eq!(found, expected, "{vmcore:o} {umask} {arguments:?}: {found:o}");
        }
        // FILE itself is as it was.
        let outcome = under(umask, &folder, &["attach", "vmcore", "bmc=log", "--in-place"]);
        assert_eq!((outcome.status, mode(&folder, "vmcore")), (Some(0), vmcore), "{outcome:?}");
    }
}

/// What is added is kernel memory as well.
#[test]
fn a_copy_is_as_private_as_what_is_added() {
    let folder = Folder::new().with("vmcore", &small().image()).with("dumps", &small().image());
    set_mode(&folder, "vmcore", 0o644);
    set_mode(&folder, "dumps", 0o600);
    let arguments = ["attach", "vmcore", "--from", "dumps", "-o", "copy"];
    assert_eq!(under("000", &folder, &arguments).status, Some(0));
    assert_eq!(mode(&folder, "copy"), 0o600);
}

#[test]
fn what_comes_from_a_pipe_is_its_owners_alone() {
    let folder = Folder::new().with("vmcore", &small().image());
    set_mode(&folder, "vmcore", 0o644);
    for (script, expected) in [
        ("umask 0; cat vmcore | \"$0\" extract - nic0 -o out", 0o600),
        ("umask 0; \"$0\" extract - nic0 -o out <vmcore", 0o644),
    ] {
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_vmcoredd")]);
        assert!(command.current_dir(folder.root()).status().expect("runs").success());
        assert_eq!(mode(&folder, "out"), expected, "{script}");
        fs::remove_file(folder.path("out")).expect("there");
    }
}

#[test]
fn of_what_nothing_is_known_a_copy_is_its_owners_alone() {
    let folder = Folder::new().with("vmcore", &small().image());
    set_mode(&folder, "vmcore", 0o644);
    // One of these calls is for the mode; others keep the file from being read.
    let modes = (1..10).filter_map(|number| {
        let inject = format!("inject=statx:error=EACCES:when={number}");
        let how = ["-P", "vmcore", "-e", &inject];
        traced(&folder, &how, &["extract", "vmcore", "nic0", "-o", "out"]);
        let found = fs::metadata(folder.path("out")).ok()?.mode() & 0o777;
        fs::remove_file(folder.path("out")).expect("there");
        Some(found)
    });
    assert!(modes.collect::<Vec<_>>().contains(&0o600));
}

/// What root's group may read is not for that of the directory.
#[test]
fn what_a_group_may_read_is_not_for_another() {
    if !geteuid().is_root() {
        return;
    }
    let folder = Folder::new().with("vmcore", &small().image());
    set_mode(&folder, "vmcore", 0o640);
    fs::create_dir(folder.path("dir")).expect("created");
    chown(folder.path("dir"), None, Some(7)).expect("root may");
    set_mode(&folder, "dir", 0o2775);
    let outcome = under("000", &folder, &["extract", "vmcore", "nic0", "-C", "dir"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let file = fs::metadata(folder.path("dir/nic0")).expect("written");
    assert_eq!((file.gid(), file.mode() & 0o777), (7, 0o600));

    // A file of another user is replaced by one's own, but for FILE itself.
    put(&folder, "out", 0o666);
    for name in ["out", "vmcore"] {
        chown(folder.path(name), Some(7), Some(7)).expect("root may");
    }
    fs::write(folder.path("log"), "text").expect("written");
    assert_eq!(under("0", &folder, &["extract", "vmcore", "0", "-o", "out"]).status, Some(0));
    assert_eq!(fs::metadata(folder.path("out")).expect("there").uid(), 0);
    assert_eq!(mode(&folder, "out"), 0o600);
    let arguments = ["attach", "vmcore", "bmc=log", "--in-place"];
    assert_eq!(under("0", &folder, &arguments).status, Some(0));
    let vmcore = fs::metadata(folder.path("vmcore")).expect("there");
    assert_eq!((vmcore.uid(), vmcore.gid(), vmcore.mode() & 0o777), (7, 7, 0o640));

    // Where it cannot be given to its group, that of the new file gets nothing.
    let failing = ["-e", "inject=fchown:error=EPERM"];
    let outcome = traced(&folder, &failing, &["attach", "vmcore", "bmc=log", "--in-place"]);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let vmcore = fs::metadata(folder.path("vmcore")).expect("there");
    assert_eq!((vmcore.gid(), vmcore.mode() & 0o777), (0, 0o600));
}

/// An access control list as Linux keeps it: the owner may write, user 7 read, the group
/// nothing; the mask is to read.
const READ_BY_7: [u8; 44] = *b"\x02\0\0\0\
    \x01\0\x06\0\xff\xff\xff\xff\
    \x02\0\x04\0\x07\0\0\0\
    \x04\0\0\0\xff\xff\xff\xff\
    \x10\0\x04\0\xff\xff\xff\xff\
    \x20\0\0\0\xff\xff\xff\xff";

fn acl(folder: &Folder, name: &str) -> Option<Vec<u8>> {
    let mut list = vec![0; 1000];
    let length = getxattr(folder.path(name), "system.posix_acl_access", &mut list[..]).ok()?;
    list.truncate(length);
    Some(list)
}

#[test]
fn access_control_lists_stay_with_the_file_and_are_not_inherited() {
    let folder = Folder::new().with("vmcore", &small().image()).with("plain", &small().image());
    fs::write(folder.path("log"), "text").expect("written");
    let set = |path: &Path, name: &str, value: &[u8]| {
        setxattr(path, name, value, XattrFlags::empty()).is_ok()
    };
    set_mode(&folder, "vmcore", 0o640);
    if !set(folder.root(), "system.posix_acl_default", &READ_BY_7) {
        return; // The file system has none.
    }
    let arguments = ["extract", "vmcore", "nic0", "-o", "out"];
    assert_eq!(under("0", &folder, &arguments).status, Some(0));
    assert_eq!((mode(&folder, "out"), acl(&folder, "out")), (0o640, None));

    assert!(set(&folder.path("vmcore"), "system.posix_acl_access", &READ_BY_7));
    assert!(set(&folder.path("vmcore"), "user.case", b"4711"));
    let arguments = ["attach", "vmcore", "bmc=log", "--in-place"];
    assert_eq!(under("0", &folder, &arguments).status, Some(0));
    assert_eq!(mode(&folder, "vmcore"), 0o640);
    assert_eq!(acl(&folder, "vmcore").as_deref(), Some(&READ_BY_7[..]));
    let mut value = [0; 4];
    let found = getxattr(folder.path("vmcore"), "user.case", &mut value[..]);
    assert_eq!((found, &value), (Ok(4), b"4711"));

    // What is written from it, or over it, has no list, and its group had no right.
    put(&folder, "list", 0o644);
    assert!(set(&folder.path("list"), "system.posix_acl_access", &READ_BY_7));
    for (script, name) in [
        ("umask 0; \"$0\" extract vmcore nic0 -o of_file", "of_file"),
        ("umask 0; \"$0\" extract - nic0 -o of_stdin <vmcore", "of_stdin"),
        ("umask 0; chmod 644 plain; \"$0\" extract plain nic0 -o list", "list"),
    ] {
        let mut command = Command::new("sh");
        command.args(["-c", script, env!("CARGO_BIN_EXE_vmcoredd")]);
        assert!(command.current_dir(folder.root()).status().expect("runs").success());
        assert_eq!((mode(&folder, name), acl(&folder, name)), (0o600, None), "{name}");
    }

    // Nor where it cannot be kept: the mask would be what the group may do.
    let failing = ["-e", "inject=fsetxattr:error=EOPNOTSUPP"];
    assert_eq!(traced(&folder, &failing, &arguments).status, Some(0));
    assert_eq!((mode(&folder, "vmcore"), acl(&folder, "vmcore")), (0o600, None));
}

#[test]
fn what_is_in_the_directory_is_replaced_and_never_written_through() {
    let made = Vmcore::new(Class::Elf64, Endian::Little)
        .dump("link", b"1".to_vec())
        .dump("dangling", b"2".to_vec())
        .dump("pipe", b"3".to_vec())
        .dump("socket", b"4".to_vec())
        .dump("folder", b"5".to_vec())
        .dump("file", b"6".to_vec())
        .dump("vmcore", b"7".to_vec());
    let image = made.image();
    let folder = Folder::new().with("vmcore", &image);
    fs::create_dir_all(folder.path("dir/folder")).expect("created");
    put(&folder, "victim", 0o644);
    put(&folder, "dir/file", 0o644);
    symlink("../victim", folder.path("dir/link")).expect("linked");
    symlink("../nothing", folder.path("dir/dangling")).expect("linked");
    symlink("../vmcore", folder.path("dir/vmcore")).expect("linked");
    let made = Command::new("mkfifo").arg(folder.path("dir/pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is needed");
    let _socket = UnixListener::bind(folder.path("dir/socket")).expect("a socket");

    let outcome = folder.run(["extract", "vmcore", "--all", "-C", "dir"]);
    insta::assert_snapshot!(outcome.shown());
    for name in ["pipe", "socket", "folder"] {
        let outcome = folder.run(["extract", "vmcore", name, "-C", "dir"]);
        assert_eq!((outcome.status, outcome.stderr.lines().count()), (Some(4), 1));
    }
    assert_eq!(fs::read(folder.path("victim")).expect("there"), b"old");
    assert!(fs::read(folder.path("vmcore")).expect("there") == image.to_vec());
    assert_eq!(folder.files(), ["dir", "victim", "vmcore"]);
    for (name, content) in [("link", "1"), ("dangling", "2"), ("file", "6"), ("vmcore", "7")] {
        let path = folder.path("dir").join(name);
        assert!(fs::symlink_metadata(&path).expect("there").is_file());
        assert_eq!(fs::read_to_string(path).expect("there"), content);
    }
    let pipe = fs::symlink_metadata(folder.path("dir/pipe")).expect("there");
    assert!(pipe.file_type().is_fifo());
}

#[test]
fn what_is_read_is_not_written() {
    let made = small();
    let folder = Folder::new().with("vmcore", &made.image());
    fs::hard_link(folder.path("vmcore"), folder.path("hard")).expect("linked");
    symlink("vmcore", folder.path("soft")).expect("linked");
    fs::write(folder.path("log"), "text").expect("written");
    for script in [
        "\"$0\" extract vmcore nic0 -o soft",
        "\"$0\" extract soft nic0 -o hard",
        "\"$0\" extract - nic0 -o vmcore <vmcore",
        "\"$0\" extract - nic0 -o hard <soft",
        "\"$0\" extract vmcore nic0 -o - >>vmcore",
        "\"$0\" extract hard nic0 -o - >>soft",
        "\"$0\" extract - nic0 -o - <vmcore >>vmcore",
        "\"$0\" attach vmcore log=log -o vmcore",
        "\"$0\" attach hard log=log -o soft",
    ] {
        let mut command = Command::new("timeout");
        command.args(["20", "sh", "-c", script, env!("CARGO_BIN_EXE_vmcoredd")]);
        let output = command.current_dir(folder.root()).output().expect("runs");
        let outcome = Outcome::from(output);
        assert_eq!(outcome.status, Some(2), "{script}: {outcome:?}");
        let is_told = outcome.stderr.ends_with(": is the vmcore itself, expected another output\n");
        assert!(is_told && outcome.stderr.lines().count() == 1, "{script}: {outcome:?}");
        assert!(fs::read(folder.path("vmcore")).expect("there") == made.image().to_vec());
        assert_eq!(folder.files(), ["hard", "log", "soft", "vmcore"]);
    }
}

/// Runs the command under strace, which does to its calls what `how` says.
fn traced(folder: &Folder, how: &[&str], arguments: &[&str]) -> Outcome {
    Outcome::from(strace(folder, how, arguments).output().expect("strace is installed"))
}

fn strace(folder: &Folder, how: &[&str], arguments: &[&str]) -> Command {
    let mut command = Command::new("strace");
    command.args(["-qq", "-o", "/dev/null"]).args(how).arg(env!("CARGO_BIN_EXE_vmcoredd"));
    command.args(arguments).current_dir(folder.root());
    command
}

/// So that the file system is one without `O_TMPFILE`; the library for other files calls
/// openat().
const NAMED: [&str; 2] = ["-e", "inject=open:error=EOPNOTSUPP:when=1"];

/// The calls that may fail while `old` is replaced, and while `new` is written.
const CALLS: [(&str, &[&str], &[&str]); 4] = [
    (
        "old",
        &[],
        &["pwrite64", "ftruncate", "fchmod", "fsync", "linkat", "linkat:when=2", "renameat"],
    ),
    ("new", &[], &["pwrite64", "ftruncate", "fchmod", "linkat"]),
    ("old", &NAMED, &["open:when=1+", "pwrite64", "ftruncate", "fchmod", "fsync", "renameat"]),
    ("new", &NAMED, &["open:when=1+", "pwrite64", "ftruncate", "fchmod", "renameat"]),
];

/// How strace is to spoil `call`, where `NAME:when=N` is not the first one.
fn spoil(call: &str, how: &str) -> String {
    let (name, when) = call.split_once(':').unwrap_or((call, "when=1"));
    format!("inject={name}:{how}:{when}")
}

#[test]
fn whatever_fails_leaves_what_was_there() {
    let made = small().dump("large", [vec![7; 300_000], vec![0; 100_000]].concat());
    let folder = Folder::new().with("vmcore", &made.image());
    fs::write(folder.path("old"), "what was there").expect("written");
    let is_nameless = folder.has_nameless_files();
    for (file, kind, calls) in CALLS.iter().filter(|(_, kind, _)| is_nameless || kind == &NAMED) {
        for (call, error) in calls.iter().flat_map(|call| [(call, "EIO"), (call, "ENOSPC")]) {
            let inject = spoil(call, &format!("error={error}"));
            let how = [*kind, &["-e", &inject]].concat();
            let outcome = traced(&folder, &how, &["extract", "vmcore", "large", "-o", file]);
            assert_eq!(outcome.status, Some(4), "{how:?} {outcome:?}");
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
            assert_eq!(folder.files(), ["old", "vmcore"], "{how:?}");
            assert_eq!(fs::read(folder.path("old")).expect("there"), b"what was there");
        }
    }
    // The last of all comes when the new file is there, and whole.
    let how = ["-e", "inject=fsync:error=EIO:when=2"];
    let outcome = traced(&folder, &how, &["extract", "vmcore", "nic0", "-o", "old"]);
    assert_eq!((outcome.status, outcome.stderr.lines().count()), (Some(4), 1), "{outcome:?}");
    assert_eq!(fs::read(folder.path("old")).expect("there"), b"state");
}

#[test]
fn a_limit_is_as_a_full_disk() {
    let large = small().dump("large", vec![7; 300_000]);
    let kdump = Kdump::new(Width::Bits64, Endian::Little, 6).dump("nic0", b"state".to_vec());
    let kdump = kdump.page(1, &[1; 4096]).image();
    let folder = Folder::new().with("vmcore", &large.image()).with("kdump", &kdump);
    fs::write(folder.path("old"), "what was there").expect("written");
    let runs: [(&[&str], &str); 4] = [
        (&["extract", "vmcore", "large", "-o", "old"], "old"),
        (&["extract", "vmcore", "large", "-o", "new"], "new"),
        (&["attach", "kdump", "blob=vmcore", "-o", "new"], "new"),
        (&["attach", "kdump", "blob=vmcore", "--in-place"], "kdump"),
    ];
    for (arguments, file) in runs {
        let mut command = Command::new("prlimit");
        command.args(["--fsize=100000", env!("CARGO_BIN_EXE_vmcoredd")]);
        let output = command.args(arguments).current_dir(folder.root()).output();
        let outcome = Outcome::from(output.expect("runs"));
        let expected = format!("vmcoredd: {file}: cannot write: File too large\n");
        assert_eq!((outcome.status, outcome.stderr), (Some(4), expected), "{arguments:?}");
        assert_eq!(folder.files(), ["kdump", "old", "vmcore"]);
        assert_eq!(fs::read(folder.path("old")).expect("there"), b"what was there");
        assert!(fs::read(folder.path("kdump")).expect("there") == kdump.to_vec());
    }
}

/// A run of `attach` that has written some of its copy, and waits for the rest.
struct Waiting {
    child: Child,
    pipe: File,
}

impl Waiting {
    fn start(folder: &Folder, mut command: Command, is_named: bool) -> Self {
        let child = command.stdout(Stdio::null()).spawn().expect("runs");
        // Nobody waits here for a reader that does not come.
        let start = Instant::now();
        let mut pipe = loop {
            let nonblocking = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
            let mut options = OpenOptions::new();
            match options.write(true).custom_flags(nonblocking).open(folder.path("pipe")) {
                Ok(pipe) => break pipe,
                Err(_) => assert!(start.elapsed() < LONG, "it does not open its input"),
            }
            sleep(Duration::from_millis(5));
        };
        pipe.write_all(&[1; 5000]).expect("there is room");
        let is_named_now = || folder.files().iter().any(|name| name.starts_with(".vmcoredd-"));
        let is_nameless = || {
            let open = fs::read_dir(format!("/proc/{}/fd", child.id())).expect("it runs");
            open.flatten().filter_map(|entry| fs::metadata(entry.path()).ok()).any(|file| {
                file.is_file()
                    && file.nlink() == 0
                    && file.len() > 1000
                    && file.mode() & 0o777 == 0o600
            })
        };
        while !(if is_named { is_named_now() } else { is_nameless() }) {
            assert!(start.elapsed() < LONG, "it does not write");
            sleep(Duration::from_millis(5));
        }
        Self { child, pipe }
    }

    fn kill(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("it runs");
    }

    /// Waits for its end, while its input stays open.
    fn wait_killed(mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            match self.child.try_wait().expect("a child") {
                Some(status) => return status,
                None if start.elapsed() > LONG => {
                    self.child.kill().expect("it runs");
                    panic!("the signal does not end it");
                }
                None => sleep(Duration::from_millis(5)),
            }
        }
    }

    /// Gives it the end of its input, and waits for its own.
    fn wait_done(mut self) -> ExitStatus {
        drop(self.pipe);
        self.child.wait().expect("a child")
    }
}

/// The command with every signal as a new session has it: whoever runs the tests in the
/// background may ignore some.
fn with_default_signals(command: &Command) -> Command {
    let mut env = Command::new("env");
    env.arg("--default-signal").arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        env.current_dir(directory);
    }
    env
}

fn attaching(folder: &Folder, arguments: &[&str]) -> Command {
    let mut command = folder.command();
    command.args(["attach", "vmcore", "bmc=pipe"]).args(arguments);
    command
}

fn folder_with_pipe() -> Folder {
    let folder = Folder::new().with("vmcore", &small().image());
    let made = Command::new("mkfifo").arg(folder.path("pipe")).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo is needed");
    folder
}

#[test]
fn what_kills_it_leaves_nothing() {
    let folder = folder_with_pipe();
    if !folder.has_nameless_files() {
        return;
    }
    let before = fs::read(folder.path("vmcore")).expect("there");
    for arguments in [&["-o", "copy"][..], &["--in-place"]] {
        for signal in [Signal::KILL, Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            let command = with_default_signals(&attaching(&folder, arguments));
            let waiting = Waiting::start(&folder, command, false);
            waiting.kill(signal);
            assert_eq!(waiting.wait_killed().signal(), Some(signal.as_raw()), "{arguments:?}");
            assert_eq!(folder.files(), ["pipe", "vmcore"], "{arguments:?} {signal:?}");
            assert!(fs::read(folder.path("vmcore")).expect("there") == before);
        }
    }
}

/// Where the file system has no files without names, but for SIGKILL.
#[test]
fn signals_remove_the_temporary_file() {
    let folder = folder_with_pipe();
    let before = fs::read(folder.path("vmcore")).expect("there");
    for arguments in [&["-o", "copy"][..], &["--in-place"]] {
        for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
            let all = [&["attach", "vmcore", "bmc=pipe"], arguments].concat();
            // With -D, strace is not the parent, so that it is the command that is killed.
            let how = [&["-D"][..], &NAMED].concat();
            let command = with_default_signals(&strace(&folder, &how, &all));
            let waiting = Waiting::start(&folder, command, true);
            let named = folder.files().into_iter().find(|name| name.starts_with(".vmcoredd-"));
            assert_eq!(mode(&folder, &named.expect("it is there")), 0o600);
            waiting.kill(signal);
            assert_eq!(waiting.wait_killed().signal(), Some(signal.as_raw()), "{arguments:?}");
            assert_eq!(folder.files(), ["pipe", "vmcore"], "{arguments:?} {signal:?}");
            assert!(fs::read(folder.path("vmcore")).expect("there") == before);
        }
    }
}

/// In each step of writing, SIGKILL leaves the old file or the new one, and another name
/// for the new one at most between linkat and renameat.
#[test]
fn killed_in_any_step_it_leaves_the_old_file_or_the_new_one() {
    let made = small().dump("large", vec![7; 300_000]);
    for call in
        ["pwrite64", "pwrite64:when=2", "fchmod", "fsync", "linkat", "linkat:when=2", "renameat"]
    {
        let folder = Folder::new().with("vmcore", &made.image());
        if !folder.has_nameless_files() {
            return;
        }
        fs::write(folder.path("old"), "what was there").expect("written");
        let inject = spoil(call, "signal=KILL");
        let arguments = ["extract", "vmcore", "large", "-o", "old"];
        let output = strace(&folder, &["-e", &inject], &arguments).output().expect("runs");
        assert_eq!(output.status.signal(), Some(9), "{call}");
        let there = fs::read(folder.path("old")).expect("there");
        assert!(there == b"what was there" || there == [7; 300_000], "{call}");
        let left = folder.files().len() - 2;
        assert!(left == 0 || left == 1 && ["linkat:when=2", "renameat"].contains(&call), "{call}");
    }
}

#[test]
fn an_ignored_hangup_stays_ignored() {
    let folder = folder_with_pipe();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" \"$@\"", env!("CARGO_BIN_EXE_vmcoredd")]);
    command.args(["attach", "vmcore", "bmc=pipe", "-o", "copy"]).current_dir(folder.root());
    let waiting = Waiting::start(&folder, command, !folder.has_nameless_files());
    waiting.kill(Signal::HUP);
    sleep(Duration::from_millis(200));
    assert!(waiting.wait_done().success());
    assert_eq!(folder.files(), ["copy", "pipe", "vmcore"]);
}

/// A flattened stream of `small()` with a record of four bytes at `offset`.
fn with_a_record_at(offset: u64) -> Vec<u8> {
    let mut stream = small().image().flattened(1000).to_vec();
    stream.truncate(stream.len() - 16);
    for record in [(offset, 4), (u64::MAX, u64::MAX)] {
        stream.extend(record.0.to_be_bytes());
        stream.extend(record.1.to_be_bytes());
        stream.extend((record.1 == 4).then_some(b"last").into_iter().flatten());
    }
    stream
}

#[test]
fn a_copy_takes_as_long_as_there_are_data() {
    let folder = Folder::new();
    fs::write(folder.path("log"), "text").expect("written");
    for (offset, must_fit) in [(1 << 40, true), (1 << 50, false), ((1 << 63) - 5, false)] {
        fs::write(folder.path("stream"), with_a_record_at(offset)).expect("written");
        let mut command = Command::new("timeout");
        command.args(["20", env!("CARGO_BIN_EXE_vmcoredd"), "attach", "stream", "bmc=log"]);
        command.args(["-o", "copy"]).current_dir(folder.root());
        let outcome = Outcome::from(command.output().expect("runs"));
        if outcome.status == Some(0) {
            let copy = fs::metadata(folder.path("copy")).expect("written");
            assert!(copy.len() > offset && copy.blocks() * 512 < 1 << 20);
            assert_eq!(folder.run(["extract", "copy", "bmc", "-o", "-"]).stdout(), "text");
            assert_eq!(folder.run(["extract", "copy", "nic0", "-o", "-"]).stdout(), "state");
            fs::remove_file(folder.path("copy")).expect("there");
        } else {
            assert!(!must_fit, "{outcome:?}");
            assert_eq!(outcome.status, Some(4), "{outcome:?}");
            assert_eq!(outcome.stderr.lines().count(), 1, "{outcome:?}");
        }
        assert_eq!(folder.files(), ["log", "stream"]);
    }
}
