//! Compressed streams, told apart by their first bytes and never by a name.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const XZ: [u8; 6] = [0xfd, b'7', b'z', b'X', b'Z', 0];
const BZIP2: [u8; 3] = *b"BZh";

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    None,
    Gzip,
    Zstd,
    /// Known by sight, but not read here.
    Unsupported(&'static str),
}

/// Tells the compression from the first bytes of a stream.
pub fn detect(start: &[u8]) -> Compression {
    if start.starts_with(&GZIP) {
        Compression::Gzip
    } else if start.starts_with(&ZSTD) || is_skippable(start) {
        Compression::Zstd
    } else if start.starts_with(&XZ) {
        Compression::Unsupported("xz")
    } else if start.starts_with(&BZIP2) {
        Compression::Unsupported("bzip2")
    } else {
        Compression::None
    }
}

/// The uncompressed bytes of `source`, whatever it is compressed with.
pub fn decompress<'a>(source: impl Read + Send + 'a) -> io::Result<(Compression, Box<dyn Read + Send + 'a>)> {
    let mut source = BufReader::with_capacity(128 * 1024, source);
    let mut start = Vec::with_capacity(8);
    // `fill_buf` may give less than the magic; reading and chaining cannot.
    source.by_ref().take(8).read_to_end(&mut start)?;
    let kind = detect(&start);
    let whole = BufReader::with_capacity(128 * 1024, io::Cursor::new(start).chain(source));
    let plain: Box<dyn Read + Send + 'a> = match kind {
        Compression::None => Box::new(whole),
        Compression::Gzip => Box::new(MultiGzDecoder::new(whole)),
        Compression::Zstd => Box::new(ZstdFrames { source: whole, decoder: FrameDecoder::new(), place: Place::BetweenFrames }),
        Compression::Unsupported(name) => {
            let message = format!("the stream is compressed with {name}; gzip, zstd and plain are read");
            return Err(io::Error::new(io::ErrorKind::Unsupported, message));
        }
    };
    Ok((kind, plain))
}

/// The fifteen magic numbers of frames that hold no content.
fn is_skippable(start: &[u8]) -> bool {
    matches!(start, [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..])
}

/// All frames of a zstd stream, one after the other.
struct ZstdFrames<R: BufRead> {
    source: R,
    decoder: FrameDecoder,
    place: Place,
}

#[derive(PartialEq, Eq)]
enum Place {
    BetweenFrames,
    InFrame,
}

impl<R: BufRead> Read for ZstdFrames<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if self.place == Place::InFrame {
                match self.read_frame(buffer)? {
                    0 => self.place = Place::BetweenFrames,
                    read => return Ok(read),
                }
            }
            if self.source.fill_buf()?.is_empty() {
                return Ok(0);
            }
            self.open_frame()?;
        }
    }
}

impl<R: BufRead> ZstdFrames<R> {
    fn open_frame(&mut self) -> io::Result<()> {
        let mut magic = [0; 4];
        self.source.read_exact(&mut magic)?;
        if is_skippable(&magic) {
            let mut length = [0; 4];
            self.source.read_exact(&mut length)?;
            let length = u64::from(u32::from_le_bytes(length));
            io::copy(&mut self.source.by_ref().take(length), &mut io::sink())?;
            return Ok(());
        }
        let header = io::Cursor::new(magic).chain(&mut self.source);
        self.decoder.init(header).map_err(io::Error::other)?;
        self.place = Place::InFrame;
        Ok(())
    }

    fn read_frame(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.decoder.can_collect() < buffer.len() && !self.decoder.is_finished() {
            let missing = buffer.len() - self.decoder.can_collect();
            self.decoder
                .decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBytes(missing))
                .map_err(io::Error::other)?;
        }
        self.decoder.read(buffer)
    }
}
