// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! The output of commands, added as device dumps.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{self, ErrorKind, PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use kdumpfile::Strerror;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use vmcoredd_producer::Outcome;

use crate::failure::Failure;
use crate::process::kill_group;
use crate::writer::{DumpWriter, EIO, error_outcome};

/// As much as a pipe holds, in bytes.
const BUFFER: usize = 64 << 10;
/// How often it is looked whether a command has ended that has closed its output.
const LOOK: Duration = Duration::from_millis(10);
/// How long a command may take to end when it is killed.
const KILLED: Duration = Duration::from_secs(1);

/// What takes the output of a command.
pub trait Sink {
    /// What becomes of it.
    type Ended;

    /// Appends `bytes`; returns false when it takes no more.
    fn write(&mut self, bytes: &[u8]) -> bool;

    /// Ends it; `reason` says in words why it is not whole.
    fn end(self, outcome: Outcome, reason: Option<String>) -> Self::Ended;
}

impl Sink for DumpWriter {
    type Ended = Result<u64, Failure>;

    fn write(&mut self, bytes: &[u8]) -> bool {
        self.write(bytes)
    }

    fn end(self, outcome: Outcome, reason: Option<String>) -> Result<u64, Failure> {
        self.end(outcome, reason)
    }
}

/// Adds the output of `command` as the dump `name`; returns its length, in bytes.
pub fn add_output(
    name: &OsStr,
    command: &[OsString],
    deadline: Duration,
    stderr: bool,
) -> Result<u64, Failure> {
    take_output(DumpWriter::start(name, 0)?, command, deadline, stderr)
}

/// Has `dump` take the output of `command`.
pub fn take_output<S: Sink>(
    mut dump: S,
    command: &[OsString],
    deadline: Duration,
    stderr: bool,
) -> S::Ended {
    let end = Instant::now().checked_add(deadline);
    let (mut output, mut child) = match start(command, stderr) {
        Ok(started) => started,
        Err(error) => {
            let reason = format!("its command cannot be started: {}", Strerror(&error));
            return dump.end(error_outcome(&error), Some(reason));
        }
    };
    let (outcome, reason) = match capture(&mut output, &mut dump, end)
        .and_then(|captured| if captured { ended(&mut child, end) } else { Ok(None) })
    {
        Ok(Some(status)) => outcome(status),
        Ok(None) => {
            kill(&mut child);
            (Outcome::Deadline, Some("its command did not end in time".to_owned()))
        }
        Err(error) => {
            kill(&mut child);
            (
                error_outcome(&error),
                Some(format!("its output cannot be read: {}", Strerror(&error))),
            )
        }
    };
    dump.end(outcome, reason)
}

/// Starts `command` in a process group of its own; returns the pipe to which it prints, too.
fn start(command: &[OsString], stderr: bool) -> io::Result<(PipeReader, Child)> {
    let (output, input) = io::pipe()?;
    let (program, rest) = command.split_first().ok_or(ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command.args(rest).stdin(Stdio::null()).process_group(0);
    if stderr {
        command.stderr(input.try_clone()?);
    }
    let child = command.stdout(input).spawn()?;
    // Where memory runs out, the kernel is to kill this, not what saves the vmcore.
    // Without /proc it does as it likes.
    let _ = fs::write(format!("/proc/{}/oom_score_adj", child.id()), "1000");
    // The command's ends of the pipe live as long as `command`.
    Ok((output, child))
}

/// Copies `output` to its end; returns false when that did not come before `end`.
///
/// Where the dump takes no more, the rest is not read: its writer gets a broken pipe.
fn capture(
    output: &mut PipeReader,
    dump: &mut impl Sink,
    end: Option<Instant>,
) -> io::Result<bool> {
    let mut buffer = vec![0; BUFFER];
    loop {
        if !readable(output, end)? {
            return Ok(false);
        }
        let length = match output.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if !dump.write(buffer.get(..length).unwrap_or_default()) {
            return Ok(false);
        }
    }
}

/// Waits until there is something to read, or the end of it; returns false when that does
/// not come before `end`.
fn readable(output: &PipeReader, end: Option<Instant>) -> io::Result<bool> {
    loop {
        let left = end.map(|end| end.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return Ok(false);
        }
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(output, PollFlags::IN)], left.as_ref()) {
            Ok(0) => {}
            Ok(_) => return Ok(true),
            Err(error) if io::Error::from(error).kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Waits for `child`, until `end` at most.
fn ended(child: &mut Child, end: Option<Instant>) -> io::Result<Option<ExitStatus>> {
    loop {
        let status = child.try_wait()?;
        if status.is_some() || end.is_some_and(|end| Instant::now() >= end) {
            return Ok(status);
        }
        thread::sleep(LOOK);
    }
}

/// Kills the command and what it started. A command that a driver holds in the kernel cannot
/// be killed, and is not waited for: the vmcore has still to be saved.
fn kill(child: &mut Child) {
    kill_group(child);
    let _ = ended(child, Instant::now().checked_add(KILLED));
}

/// The outcome of a dump whose command ended with `status`, and why it is not complete.
fn outcome(status: ExitStatus) -> (Outcome, Option<String>) {
    let number = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    match number.and_then(|number| u8::try_from(number).ok()) {
        Some(0) => (Outcome::Complete, None),
        Some(number) => (Outcome::Exit(number), Some(format!("its command ended: {status}"))),
        None => (Outcome::Error(EIO), Some(format!("its command ended: {status}"))),
    }
}
