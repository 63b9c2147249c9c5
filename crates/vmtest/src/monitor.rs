// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What the host does to a running machine while the guest waits for it.
//!
//! The guest asks through a virtio-serial port, not by a line on the console: a message
//! of the kernel can come in the middle of such a line, and the guest would wait in vain.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::{Error, Result};

/// The port through which the guest asks, and is answered.
pub(crate) const PORT: &str = "pause";

/// QEMU answers at once, or not at all.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// The monitor of a running machine (QMP), and the port through which its guest waits.
#[derive(Debug)]
pub struct Monitor {
    commands: UnixStream,
    answers: BufReader<UnixStream>,
    guest: UnixStream,
    asked: Vec<u8>,
    is_greeted: bool,
}

/// QEMU's ends of what a [`Monitor`] needs.
///
/// They are QEMU's standard input and output: a socket that has a name in the file system
/// must have a short one.
pub(crate) struct Ends {
    monitor: UnixStream,
    port: UnixStream,
}

impl Ends {
    /// Has QEMU take them; the machine must have a virtio-serial bus.
    pub(crate) fn add_to(self, command: &mut Command) {
        command.stdin(Stdio::from(OwnedFd::from(self.monitor)));
        command.stdout(Stdio::from(OwnedFd::from(self.port)));
        command.args(["-chardev", "socket,id=monitor,fd=0"]);
        command.args(["-mon", "chardev=monitor,mode=control"]);
        command.args(["-chardev", &format!("socket,id=port-{PORT},fd=1")]);
        command.arg("-device").arg(format!("virtserialport,chardev=port-{PORT},name={PORT}"));
    }
}

impl Monitor {
    pub(crate) fn new() -> Result<(Self, Ends)> {
        let pair = || UnixStream::pair().map_err(|error| failed(&error.to_string()));
        let ((commands, monitor), (guest, port)) = (pair()?, pair()?);
        let prepared = || {
            commands.set_read_timeout(Some(ANSWER_LIMIT))?;
            guest.set_nonblocking(true)?;
            commands.try_clone()
        };
        let answers = BufReader::new(prepared().map_err(|error| failed(&error.to_string()))?);
        let asked = Vec::new();
        Ok((Self { commands, answers, guest, asked, is_greeted: false }, Ends { monitor, port }))
    }

    /// Runs a command of the monitor for people (HMP), as `info pci`, and returns what it
    /// printed. What is wrong with a command is printed, too.
    ///
    /// # Errors
    /// [`Error::Program`] when QEMU does not answer.
    pub fn command(&mut self, line: &str) -> Result<String> {
        let arguments = json!({ "command-line": line });
        let said = self.execute("human-monitor-command", &arguments)?;
        Ok(said.as_str().unwrap_or_default().replace("\r\n", "\n"))
    }

    /// Runs a command of QMP and returns what it returned.
    ///
    /// # Errors
    /// [`Error::Program`] with what QEMU said when it is an error.
    pub fn execute(&mut self, command: &str, arguments: &Value) -> Result<Value> {
        if !self.is_greeted {
            self.answer("QMP")?;
            self.is_greeted = true;
            self.execute("qmp_capabilities", &json!({}))?;
        }
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.commands, "{request}").map_err(|error| failed(&error.to_string()))?;
        self.answer("return")
    }

    /// The value of `key` in the next answer that has it; events come in between.
    fn answer(&mut self, key: &str) -> Result<Value> {
        loop {
            let mut line = String::new();
            let read = self.answers.read_line(&mut line);
            if read.map_err(|error| failed(&error.to_string()))? == 0 {
                return Err(failed("ended"));
            }
            let mut answer: Value =
                serde_json::from_str(&line).map_err(|error| failed(&error.to_string()))?;
            if let Some(error) = answer.get("error") {
                return Err(failed(&error.to_string()));
            }
            if let Some(value) = answer.get_mut(key) {
                return Ok(value.take());
            }
        }
    }

    /// What the guest waits for, if it waits.
    pub(crate) fn asked(&mut self) -> Result<Option<String>> {
        let mut bytes = [0; 256];
        match self.guest.read(&mut bytes) {
            Ok(length) => self.asked.extend(bytes.iter().take(length)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            // The machine has ended.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
            Err(error) => return Err(failed(&error.to_string())),
        }
        let Some(end) = self.asked.iter().position(|byte| *byte == b'\n') else {
            return Ok(None);
        };
        let line: Vec<u8> = self.asked.drain(..=end).collect();
        Ok(Some(String::from_utf8_lossy(&line).trim().to_owned()))
    }

    /// Lets the guest go on.
    pub(crate) fn go_on(&mut self) -> Result<()> {
        self.guest.write_all(b"\n").map_err(|error| failed(&error.to_string()))
    }
}

fn failed(problem: &str) -> Error {
    Error::Program { program: "the monitor of QEMU".to_owned(), problem: problem.to_owned() }
}
