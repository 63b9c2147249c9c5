// SPDX-License-Identifier: GPL-2.0-only
//! What a process asks for by `VMCOREDD_IOC_DEVICES`.

use super::error::{EFAULT, EFBIG, EINVAL, Errno};
use super::memory::Block;
use super::shim;

/// How many bytes of plans a process may give.
const PLANS_MAX: u32 = 1 << 20;
/// How many bytes of words it may give.
const WORDS_MAX: u32 = 64 << 10;

/// Flag: by the plans of the module, too.
const BUILT_IN: u32 = 1;
/// Flag: windows may be moved.
const TOUCHES: u32 = 2;
/// Flag: registers may be read that change by it.
const CLEARS: u32 = 4;
/// Flag: the words are what is wanted.
const ONLY: u32 = 8;

/// Which devices to read, and how.
pub struct Request {
    /// Plans, one after the other, that come before those of the module.
    pub plans: Block,
    /// Words, each with a zero byte after it.
    pub words: Block,
    /// Whether the plans of the module are asked for.
    pub built_in: bool,
    /// Whether the words are what is wanted, and not what is left out.
    pub only: bool,
    /// What may be done to devices.
    pub options: plan::device::Options,
    /// The time for one device in milliseconds, where it is given.
    pub deadline: Option<u32>,
}

impl Request {
    /// What `request` has, and what it points to in the process that calls. Sleeps.
    ///
    /// # Errors
    /// [`EINVAL`] for an unknown flag, [`EFBIG`], [`EFAULT`], or for lack of memory.
    ///
    /// # Safety
    /// `request` is valid, in the context of a process that called.
    pub unsafe fn new(request: *const shim::shim_request) -> Result<Self, Errno> {
        // SAFETY: the caller promises it.
        let request = unsafe { &*request };
        if request.flags & !(BUILT_IN | TOUCHES | CLEARS | ONLY) != 0 {
            return Err(EINVAL);
        }
        let has = |flag| request.flags & flag != 0;
        Ok(Self {
            plans: copy(request.plans, request.plans_length, PLANS_MAX)?,
            words: copy(request.words, request.words_length, WORDS_MAX)?,
            built_in: has(BUILT_IN),
            only: has(ONLY),
            options: plan::device::Options { touches: has(TOUCHES), clears: has(CLEARS) },
            deadline: (request.deadline_ms > 0).then_some(request.deadline_ms),
        })
    }

    /// Whether one of the words is among `names`.
    #[must_use]
    pub fn says(&self, names: &[&[u8]]) -> bool {
        let mut words = self.words.split(|byte| *byte == 0);
        words.any(|word| !word.is_empty() && names.contains(&word))
    }
}

/// `length` bytes at `from` of the process that calls.
fn copy(from: u64, length: u32, most: u32) -> Result<Block, Errno> {
    if length > most {
        return Err(EFBIG);
    }
    let mut bytes = Block::new(length as usize)?;
    // SAFETY: `bytes` has room for so many; addresses of the process are checked in C.
    let copied = unsafe { shim::shim_user_copy(bytes.as_mut_ptr().cast(), from, length as usize) };
    if copied { Ok(bytes) } else { Err(EFAULT) }
}
