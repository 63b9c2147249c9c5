// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! VMCOREINFO: what the dead kernel said of itself (`kernel/vmcore_info.c`).

/// The longest text that is read, in bytes: the largest page, which it fills at most.
pub(crate) const TEXT_MAX: u64 = 1 << 16;

/// Lines of `KEY=VALUE`, such as `OSRELEASE=6.12.0`, `SYMBOL(init_uts_ns)=…` and
/// `NUMBER(phys_base)=…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VmcoreInfo {
    text: Vec<u8>,
}

impl VmcoreInfo {
    pub(crate) fn new(text: Vec<u8>) -> Self {
        Self { text }
    }

    /// All of it.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// The value of `key`, of several the first.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[u8]> {
        self.lines().find(|(name, _)| *name == key.as_bytes()).map(|(_, value)| value)
    }

    /// The value of `key` as a decimal number.
    #[must_use]
    pub fn number(&self, key: &str) -> Option<u64> {
        str::from_utf8(self.get(key)?).ok()?.parse().ok()
    }

    /// The value of `key` as a decimal number, which may be negative.
    #[must_use]
    pub fn signed(&self, key: &str) -> Option<i64> {
        str::from_utf8(self.get(key)?).ok()?.parse().ok()
    }

    /// The value of `key` as a hexadecimal number without `0x`, as that of a symbol or
    /// `KERNELOFFSET`.
    #[must_use]
    pub fn hexadecimal(&self, key: &str) -> Option<u64> {
        let digits = str::from_utf8(self.get(key)?).ok()?;
        // A sign is taken by the library's function.
        let is_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digits.then(|| u64::from_str_radix(digits, 16).ok())?
    }

    /// Each key with its value.
    pub fn lines(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.text.split(|byte| *byte == b'\n').filter_map(|line| {
            let equals = line.iter().position(|byte| *byte == b'=')?;
            let (key, value) = line.split_at_checked(equals)?;
            Some((key, value.get(1..)?))
        })
    }
}
