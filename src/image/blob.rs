//! Blobs: digests, and what is compressed.

use super::limits;
use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};
use serde::Deserialize;
use sha2::Digest as _;
use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::rc::Rc;
use std::str::FromStr;
use std::sync::mpsc::{self, Receiver, SyncSender};

/// A SHA-256 digest, by which images name blobs.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Digest([u8; 32]);

impl Digest {
    /// Of some bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    /// The digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// From 64 digits of lower case.
    pub(super) fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let digits = text.as_bytes();
        if digits.len() != 64 || !digits.iter().all(|d| matches!(d, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = text.strip_prefix("sha256:");
        hex.and_then(Self::from_hex).ok_or_else(|| format!("`{text}` is no SHA-256 digest"))
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A reader that computes the digest of what it has read.
pub(super) struct Digesting<R> {
    inner: R,
    state: sha2::Sha256,
    /// Bytes so far, for who needs to know meanwhile.
    count: Rc<Cell<u64>>,
}

impl<R: Read> Digesting<R> {
    pub(super) fn new(inner: R) -> Self {
        Self { inner, state: sha2::Sha256::new(), count: Rc::default() }
    }

    /// Reads the rest: number and digest of all bytes, and what was read from.
    pub(super) fn finish(mut self) -> io::Result<(u64, Digest, R)> {
        io::copy(&mut self, &mut io::sink())?;
        Ok((self.count.get(), Digest(self.state.finalize().into()), self.inner))
    }
}

impl<R: Read> Read for Digesting<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.state.update(&buffer[..n]);
        self.count.set(self.count.get() + n as u64);
        Ok(n)
    }
}

/// Frames of Zstandard, one after the other.
struct Zstandard<R> {
    source: R,
    decoder: FrameDecoder,
}

impl<R: BufRead> Zstandard<R> {
    /// Reads the header of the next frame with content; false if there is none.
    fn next_frame(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    let mut skipped = (&mut self.source).take(u64::from(length));
                    io::copy(&mut skipped, &mut io::sink())?;
                }
                Err(e) => return Err(io::Error::other(format!("bad Zstandard data: {e}"))),
            }
        }
        Ok(false)
    }
}

impl<R: BufRead> Read for Zstandard<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() == 0 {
            if self.decoder.is_finished() {
                if !self.next_frame()? {
                    return Ok(0);
                }
                continue;
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            let decoded = self.decoder.decode_blocks(&mut self.source, one);
            decoded.map_err(|e| io::Error::other(format!("bad Zstandard data: {e}")))?;
        }
        self.decoder.read(buffer)
    }
}

/// How a blob is compressed, by its first bytes: media types are not always right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstandard,
}

impl Compression {
    /// # Errors
    /// It is compressed in a way that images may not use.
    pub(super) fn of(start: &[u8]) -> io::Result<Self> {
        let other = match start {
            [0x1f, 0x8b, ..] => return Ok(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
                return Ok(Self::Zstandard);
            }
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => "xz",
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => "bzip2",
            _ => return Ok(Self::None),
        };
        Err(io::Error::other(format!("compressed by {other}, which images do not use")))
    }
}

/// What comes of a blob, and not more than it may become.
struct Expanded<R> {
    inner: R,
    /// Bytes that were read of the blob.
    from: Rc<Cell<u64>>,
    count: u64,
}

impl<R: Read> Read for Expanded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.count += n as u64;
        let allowed = limits::EXPANSION_FREE
            .saturating_add(self.from.get().saturating_mul(limits::EXPANSION))
            .min(limits::LAYER);
        if self.count > allowed {
            let gib = self.count >> 30;
            return Err(io::Error::other(format!("unpacks to more than {gib} GiB: refused")));
        }
        Ok(n)
    }
}

/// How much is handed on at once, in bytes, and how many such pieces may wait.
const PIECE: usize = 1 << 18;
const PIECES: usize = 4;

/// What the thread that decompresses hands on.
enum Piece {
    Content(Vec<u8>),
    /// It has read all of the blob, whose digest this is.
    End(Digest),
    Failed(io::Error),
}

/// A layer's blob, as it is unpacked. Decompression, with the blob's digest, is the work of a
/// thread of its own, and costs about as much as what is done with the content.
pub(super) struct Unpacked {
    content: Digesting<Pieces>,
}

/// The content, in pieces that come from the other thread.
struct Pieces {
    from: Receiver<Piece>,
    /// Where pieces go whose bytes were read, to be filled again.
    back: SyncSender<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
    blob: Option<Digest>,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            if self.blob.is_some() {
                return Ok(0);
            }
            match self.from.recv() {
                Ok(Piece::Content(piece)) => {
                    let empty = std::mem::replace(&mut self.piece, piece);
                    self.read = 0;
                    // There is room, unless nobody fills pieces any more.
                    let _ = self.back.try_send(empty);
                }
                Ok(Piece::End(blob)) => self.blob = Some(blob),
                Ok(Piece::Failed(e)) => return Err(e),
                Err(_) => return Err(io::Error::other("it failed to unpack before")),
            }
        }
        let rest = &self.piece[self.read..];
        let n = rest.len().min(buffer.len());
        buffer[..n].copy_from_slice(&rest[..n]);
        self.read += n;
        Ok(n)
    }
}

type Raw<R> = BufReader<Digesting<R>>;

enum Decoder<R: Read> {
    None(Raw<R>),
    Gzip(Box<MultiGzDecoder<Raw<R>>>),
    Zstandard(Box<Zstandard<Raw<R>>>),
}

impl<R: Read> Read for Decoder<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::None(r) => r.read(buffer),
            Self::Gzip(r) => r.read(buffer),
            Self::Zstandard(r) => r.read(buffer),
        }
    }
}

/// Decompresses a blob into pieces, and returns the blob's digest. `send` is false if nobody wants
/// more.
fn decompress(
    blob: impl Read,
    empty: impl Fn() -> Vec<u8>,
    send: impl Fn(Vec<u8>) -> bool,
) -> io::Result<Option<Digest>> {
    let raw = Digesting::new(blob);
    let from = Rc::clone(&raw.count);
    let mut raw = BufReader::with_capacity(1 << 17, raw);
    let decoder = match Compression::of(raw.fill_buf()?)? {
        Compression::None => Decoder::None(raw),
        Compression::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(raw))),
        Compression::Zstandard => {
            Decoder::Zstandard(Box::new(Zstandard { source: raw, decoder: FrameDecoder::new() }))
        }
    };
    let mut content = Expanded { inner: decoder, from, count: 0 };
    loop {
        let mut piece = empty();
        piece.clear();
        (&mut content).take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() {
            break;
        }
        if !send(piece) {
            return Ok(None);
        }
    }
    let raw = match content.inner {
        Decoder::None(r) => r,
        Decoder::Gzip(r) => r.into_inner(),
        Decoder::Zstandard(r) => r.source,
    };
    // Nothing is left in the buffer: all of it was wanted.
    let (_, digest, _) = raw.into_inner().finish()?;
    Ok(Some(digest))
}

impl Unpacked {
    /// Gives what comes of a blob to `take`, and returns what that returns. The thread that
    /// decompresses has ended then.
    pub(super) fn of<T>(blob: impl Read + Send, take: impl FnOnce(Self) -> T) -> T {
        let (to, from) = mpsc::sync_channel(PIECES);
        // As many as there can be: one that is filled, those that wait, one that is read.
        let (back, empty) = mpsc::sync_channel(PIECES + 2);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let empty = || empty.try_recv().unwrap_or_else(|_| Vec::with_capacity(PIECE));
                let send = |piece| to.send(Piece::Content(piece)).is_ok();
                let last = match decompress(blob, empty, send) {
                    Ok(Some(digest)) => Piece::End(digest),
                    Ok(None) => return,
                    Err(e) => Piece::Failed(e),
                };
                // It may be that nobody wants to know.
                let _ = to.send(last);
            });
            let pieces = Pieces { from, back, piece: Vec::new(), read: 0, blob: None };
            take(Self { content: Digesting::new(pieces) })
        })
    }

    /// Reads the rest: the digest of the blob, that of its content, and the content's length.
    pub(super) fn finish(self) -> io::Result<(Digest, Digest, u64)> {
        let (length, content, pieces) = self.content.finish()?;
        let blob = pieces.blob.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok((blob, content, length))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.content.read(buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(data: &[u8]) -> Vec<u8> {
        let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        e.write_all(data).unwrap();
        e.finish().unwrap()
    }

    fn zstd(data: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(data, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn unpack(blob: &[u8]) -> io::Result<(Vec<u8>, Digest, Digest)> {
        Unpacked::of(blob, |mut unpacked| {
            let mut content = Vec::new();
            unpacked.read_to_end(&mut content)?;
            let (blob, digest, length) = unpacked.finish()?;
            assert_eq!(length, content.len() as u64);
            Ok((content, blob, digest))
        })
    }

    #[test]
    fn digests_are_read_and_written() {
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").to_string(), text);
        assert_eq!(text.parse(), Ok(Digest::of(b"")));
        for bad in ["", "sha256:", "sha512:00", &text.to_uppercase(), &text[..70], &text[7..]] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
    }

    #[test]
    fn members_and_frames_follow_each_other() {
        let data: Vec<u8> = (0..300_000_u32).flat_map(|i| (i / 7).to_le_bytes()).collect();
        let (a, b) = data.split_at(123_456);
        let skipped = [0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3];
        for blob in [
            data.clone(),
            gzip(&data),
            zstd(&data),
            [gzip(a), gzip(b)].concat(),
            [zstd(a), skipped.to_vec(), zstd(b), skipped.to_vec()].concat(),
            [skipped.to_vec(), zstd(&data)].concat(),
        ] {
            let (content, digest, diff) = unpack(&blob).unwrap();
            assert!(content == data);
            assert_eq!((digest, diff), (Digest::of(&blob), Digest::of(&data)));
        }
    }

    #[test]
    fn what_is_damaged_is_an_error_or_another_digest() {
        let data = b"some content that is long enough to compress, compress, compress".repeat(50);
        for whole in [gzip(&data), zstd(&data)] {
            for at in 0..whole.len() {
                assert!(unpack(&whole[..at]).is_err() || at < 4, "cut at {at}");
                let mut flipped = whole.clone();
                flipped[at] ^= 1 << (at % 8);
                if let Ok((_, digest, _)) = unpack(&flipped) {
                    assert_ne!(digest, Digest::of(&whole), "flipped at {at}");
                }
            }
        }
        let e = unpack(b"\xfd7zXZ\0 and more").unwrap_err();
        assert!(e.to_string().contains("xz"), "{e}");
    }

    #[test]
    fn who_wants_no_more_does_not_wait_for_the_rest() {
        let data = vec![7; 3 * PIECE * (PIECES + 2)];
        for blob in [data.clone(), gzip(&data), zstd(&data)] {
            // One that is dropped at once, and one of which something was read.
            Unpacked::of(&blob[..], drop);
            let first = Unpacked::of(&blob[..], |mut unpacked| {
                let mut first = [0; 3];
                unpacked.read_exact(&mut first).map(|()| first)
            });
            assert_eq!(first.unwrap(), [7; 3]);
        }
    }

    #[test]
    fn a_small_blob_does_not_become_a_large_layer() {
        /// Zeros that come of a number of bytes.
        struct Bomb(Rc<Cell<u64>>);
        impl Read for Bomb {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.0.set(self.0.get() + 1);
                Ok(buffer.len())
            }
        }
        let from = Rc::new(Cell::new(0));
        let mut bomb = Expanded { inner: Bomb(Rc::clone(&from)), from, count: 0 };
        let mut buffer = vec![0; 1 << 20];
        let refused = (0..5000).find_map(|_| bomb.read(&mut buffer).err());
        assert!(refused.unwrap().to_string().contains("refused"));
        assert!(bomb.count < 2 * limits::EXPANSION_FREE);
    }
}
