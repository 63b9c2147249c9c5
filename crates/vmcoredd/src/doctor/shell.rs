// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Files of shell assignments, evaluated by the shell itself, as kdump-tools does it.
//!
//! Such a file is a program, and only the shell knows what it means. So that asking has no
//! side effect, it is run with an empty environment, without input, for a short time, in
//! little memory, and, where the kernel has Landlock, without the right to write any file,
//! to use TCP or to send signals to others.
//!
//! Root runs the machine's own files at each boot and when processors or memory are
//! plugged, so evaluating them adds no trust. They are run with all that root can read,
//! for a value can depend on that. Two things are refused instead: a file that somebody
//! else could have written, and, below another root, evaluating without Landlock, for
//! nobody says that those files may be run here.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use kdumpfile::{Escaped, EscapedPath};
use landlock::{
    ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    Scope, path_beneath_rules,
};
use rustix::process::{getegid, geteuid};

use crate::process::kill_group;

/// How long the shell may take, on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(5);
/// The signals for a process that has used its seconds of a processor: SIGXCPU, SIGKILL.
const OUT_OF_TIME: [i32; 2] = [24, 9];
/// What is said of either.
const TOO_LONG: &str = "the shell does not come to its end in time";
/// How long what it printed may take to arrive once it has ended.
const ARRIVES: Duration = Duration::from_secs(1);
/// How often is looked whether it has ended.
const LOOK: Duration = Duration::from_millis(2);
/// The most that it may print to each of its outputs, in bytes.
const LENGTH_MAX: u64 = 256 << 10;
/// The path that kdump-config sets.
const PATH: &str = "/bin:/usr/bin:/sbin:/usr/sbin";
/// What is printed after the values, so that a file which ends the shell is noticed.
const END: &str = "vmcoredd: that is all";

/// What variables a file sets.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Settings {
    values: HashMap<String, String>,
    /// What the shell complained of, though it went on: a line with the file and the line.
    pub complaint: Option<String>,
}

impl Settings {
    /// The value of `key`; `None` where it is empty or not set, which is the same for all
    /// that read these files.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.values.get(key).map(String::as_str)
    }
}

/// How the shell is to be run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// The files are this machine's own.
    Own,
    /// They belong to another machine: only where they can do nothing.
    Foreign,
}

/// What `keys` are after the shell has read `files` one after the other. Those that are
/// not there are left out.
///
/// # Errors
/// Why that is not known, on one line.
pub fn evaluate(files: &[PathBuf], keys: &[&str], trust: Trust) -> Result<Settings, String> {
    let mut script = "ulimit -c 0; ulimit -v 1048576; ulimit -t 2\n".to_owned();
    for file in files {
        if !may_be_run(file)? {
            continue;
        }
        // `.` looks for a name without a slash in PATH.
        let file = if file.is_absolute() { file.clone() } else { Path::new(".").join(file) };
        let file = file.to_str().ok_or_else(|| format!("{}: its name", EscapedPath(&file)))?;
        let quoted = shlex::try_quote(file).map_err(|error| error.to_string())?;
        // What it prints is nobody's business.
        script.push_str(&format!(". {quoted} >/dev/null\n"));
    }
    script.push_str("printf '%s\\000'");
    for key in keys {
        script.push_str(&format!(" \"${{{key}-}}\""));
    }
    script.push_str(&format!(" '{END}'\n"));
    let files: Vec<_> = files.iter().map(|file| EscapedPath(file).to_string()).collect();
    let ended = run(script, trust).map_err(|error| format!("{}: {error}", files.join(", ")))?;
    let values: Vec<_> =
        ended.stdout.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect();
    let mut lines = ended.stderr.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let shown = |line: &[u8]| Escaped(line.trim_ascii()).to_string();
    if values.get(keys.len()).is_none_or(|value| value != END) {
        let files = files.join(", ");
        // What ended the shell is what it said last.
        return Err(match (ended.status, lines.next_back().map(shown)) {
            (None, _) => format!("{files}: {TOO_LONG}"),
            (Some(status), _) if OUT_OF_TIME.contains(&status.signal().unwrap_or(0)) => {
                format!("{files}: {TOO_LONG}")
            }
            (Some(_), Some(complaint)) if ended.stderr.len() < LENGTH_MAX as usize => complaint,
            (Some(_), Some(_)) => format!("{files}: it prints more than 256 KiB"),
            (Some(status), None) => format!("{files}: it ends the shell that reads it: {status}"),
        });
    }
    let complaint = lines.next().map(shown);
    let values = keys.iter().zip(values).filter(|(_, value)| !value.is_empty());
    let values = values.map(|(key, value)| ((*key).to_owned(), value.into_owned())).collect();
    Ok(Settings { values, complaint })
}

/// Whether `file` is there; an error where it is, and cannot or should not be run.
fn may_be_run(file: &Path) -> Result<bool, String> {
    let shown = EscapedPath(file);
    let cannot = |error| format!("{shown}: cannot read: {error}");
    let metadata = match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        metadata => metadata.map_err(cannot)?,
    };
    // To open a pipe would be to wait for whoever writes to it.
    if !metadata.is_file() {
        return Err(format!("{shown}: is no file"));
    }
    File::open(file).map_err(cannot)?;
    let (user, group) = (geteuid().as_raw(), getegid().as_raw());
    let is_ours = [0, user].contains(&metadata.uid());
    let by_group = metadata.mode() & 0o020 != 0 && ![0, group].contains(&metadata.gid());
    if !is_ours || by_group || metadata.mode() & 0o002 != 0 {
        return Err(format!("{shown}: is not run: others than root can write it"));
    }
    Ok(true)
}

/// What a process prints, once a thread has all of it.
type Output = mpsc::Receiver<Vec<u8>>;

/// What became of a script.
struct Ended {
    /// `None` where it had to be killed.
    status: Option<ExitStatus>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

fn run(script: String, trust: Trust) -> io::Result<Ended> {
    // Landlock binds the thread that asks for it, and what that starts.
    let confined = thread::Builder::new().spawn(move || {
        let is_confined = confine();
        if trust == Trust::Foreign && !is_confined {
            let why = "is not run, for this kernel has no Landlock to confine it";
            return Err(io::Error::other(why));
        }
        Command::new("/bin/sh")
            .args(["-c", &script])
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
    })?;
    let mut child = confined.join().map_err(|_| io::Error::other("the shell's thread ended"))??;
    let watched = watch(&mut child);
    // Also what it has started and left, which has its outputs open.
    kill_group(&child);
    let _ = child.wait();
    let (status, outputs) = watched?;
    let [stdout, stderr] = outputs.map(|output| {
        output.and_then(|output| output.recv_timeout(ARRIVES).ok()).unwrap_or_default()
    });
    Ok(Ended { status, stdout, stderr })
}

/// How `child` ended, if it did in time, and what will have what it printed.
fn watch(child: &mut Child) -> io::Result<(Option<ExitStatus>, [Option<Output>; 2])> {
    let stdout = child.stdout.take().map(collect).transpose()?;
    let stderr = child.stderr.take().map(collect).transpose()?;
    let end = Instant::now() + DEADLINE;
    loop {
        let status = child.try_wait()?;
        if status.is_some() || Instant::now() >= end {
            return Ok((status, [stdout, stderr]));
        }
        thread::sleep(LOOK);
    }
}

/// Takes from this thread what could change anything; whether the kernel did so.
fn confine() -> bool {
    let abi = ABI::V6;
    let confined = || {
        let null = AccessFs::WriteFile | AccessFs::Truncate;
        Ruleset::default()
            .handle_access(AccessFs::from_write(abi))?
            .handle_access(AccessNet::from_all(abi))?
            .scope(Scope::from_all(abi))?
            .create()?
            .add_rules(path_beneath_rules(["/dev/null"], null))?
            .restrict_self()
    };
    confined().is_ok_and(|status| status.ruleset != RulesetStatus::NotEnforced)
}

/// Has a thread read `output`, up to a bound. Whoever writes more gets a broken pipe.
fn collect(output: impl Read + Send + 'static) -> io::Result<Output> {
    let (send, receive) = mpsc::channel();
    thread::Builder::new().spawn(move || {
        let mut text = Vec::new();
        let _ = output.take(LENGTH_MAX).read_to_end(&mut text);
        // Nobody waits for it any more when that took too long.
        let _ = send.send(text);
    })?;
    Ok(receive)
}

/// `value` as one word for the shell, which systemd reads alike.
pub fn quoted(value: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte);
    if !value.is_empty() && value.bytes().all(is_plain) {
        return value.to_owned();
    }
    let mut quoted = String::from("\"");
    for letter in value.chars() {
        if matches!(letter, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted.push('"');
    quoted
}
