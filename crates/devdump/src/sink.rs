// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! Where bytes of the file go.

use vmcore::bytes::copy;

/// Where bytes of the file go.
pub trait Sink {
    /// How many bytes it still takes.
    fn space(&self) -> usize;
    /// Takes `bytes`; gives how many of them it took, fewer only when it can
    /// take no more at all.
    fn bytes(&mut self, bytes: &[u8]) -> usize;
    /// Takes `count` zeros; gives how many it took, as [`Sink::bytes`] does.
    fn zeros(&mut self, count: usize) -> usize;
}

/// A [`Sink`] that fills a byte buffer.
pub struct Buffer<'a> {
    rest: &'a mut [u8],
}

impl<'a> Buffer<'a> {
    /// Fills `buffer` from its start.
    #[must_use]
    pub fn new(buffer: &'a mut [u8]) -> Self {
        Self { rest: buffer }
    }

    fn take(&mut self, count: usize) -> &mut [u8] {
        let rest = core::mem::take(&mut self.rest);
        let count = count.min(rest.len());
        let (now, later) = rest.split_at_mut(count);
        self.rest = later;
        now
    }
}

impl Sink for Buffer<'_> {
    fn space(&self) -> usize {
        self.rest.len()
    }

    fn bytes(&mut self, bytes: &[u8]) -> usize {
        let to = self.take(bytes.len());
        copy(to, bytes)
    }

    fn zeros(&mut self, count: usize) -> usize {
        let to = self.take(count);
        to.fill(0);
        to.len()
    }
}

/// What `bytes` have from `within` on, at most `limit` of them.
pub(crate) fn part(bytes: &[u8], within: u64, limit: usize) -> &[u8] {
    let rest = usize::try_from(within).ok().and_then(|within| bytes.get(within..));
    let rest = rest.unwrap_or_default();
    rest.get(..limit).unwrap_or(rest)
}
