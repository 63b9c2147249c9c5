// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! How pages of a kdump-compressed dump are compressed.

use flate2::{Decompress, FlushDecompress, Status};
use vmcore::bytes;

/// A way to compress a page (`DUMP_DH_COMPRESSED_*` of makedumpfile's
/// `diskdump_mod.h`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// Not compressed.
    Raw,
    /// zlib.
    Zlib,
    /// LZO1X.
    Lzo,
    /// Snappy, without frames.
    Snappy,
    /// Zstandard.
    Zstd,
}

/// Each codec, and its bit in the flags of a page and of the file.
const BITS: [(u32, Codec); 4] =
    [(0x1, Codec::Zlib), (0x2, Codec::Lzo), (0x4, Codec::Snappy), (0x20, Codec::Zstd)];

impl Codec {
    /// The codec that `flags` name; `None` when they name two.
    pub(crate) fn of_flags(flags: u32) -> Option<Self> {
        let mut named = BITS.iter().filter(|(bit, _)| flags & bit != 0);
        match (named.next(), named.next()) {
            (None, _) => Some(Self::Raw),
            (Some((_, codec)), None) => Some(*codec),
            (Some(_), Some(_)) => None,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Zlib => "zlib",
            Self::Lzo => "lzo",
            Self::Snappy => "snappy",
            Self::Zstd => "zstd",
        }
    }

    /// Decompresses `from`, which must give all of `to`; what is wrong if it does not.
    pub(crate) fn decompress(self, from: &[u8], to: &mut [u8]) -> Result<(), String> {
        let wanted = to.len();
        let length = match self {
            Self::Raw => bytes::copy(to, from),
            Self::Zlib => {
                let mut inflate = Decompress::new(true);
                let status = inflate.decompress(from, to, FlushDecompress::Finish);
                match status.map_err(|error| error.to_string())? {
                    Status::StreamEnd => inflate.total_out() as usize,
                    Status::Ok | Status::BufError => return Err("no end".to_owned()),
                }
            }
            Self::Lzo => {
                lzokay::decompress::decompress(from, to).map_err(|error| format!("{error:?}"))?
            }
            Self::Snappy => {
                snap::raw::Decoder::new().decompress(from, to).map_err(|error| error.to_string())?
            }
            Self::Zstd => {
                // A page is decompressed at once, without a window to look back in.
                let decompressed = zstd::bulk::decompress_to_buffer(from, to);
                decompressed.map_err(|error| error.to_string())?
            }
        };
        if length == wanted { Ok(()) } else { Err(format!("{length} bytes")) }
    }
}
