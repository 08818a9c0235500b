//! The compressed formats behind one interface.

use std::io::{self, BufReader, Read, Write};

/// A compressed format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
}

impl Format {
    /// By the first bytes of a file.
    pub fn detect(start: &[u8]) -> Option<Self> {
        if start.starts_with(&[0x1f, 0x8b]) {
            Some(Self::Gzip)
        } else if start.starts_with(b"BZh") {
            Some(Self::Bzip2)
        } else if start.starts_with(b"\xfd7zXZ\0") {
            Some(Self::Xz)
        } else if start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// By a file's name.
    pub fn by_name(name: &[u8]) -> Option<Self> {
        let ends = |list: &[&[u8]]| list.iter().any(|e| name.ends_with(e));
        if ends(&[b".gz", b".tgz", b".taz", b".Z"]) {
            Some(Self::Gzip)
        } else if ends(&[b".bz2", b".tbz", b".tbz2", b".tz2"]) {
            Some(Self::Bzip2)
        } else if ends(&[b".xz", b".txz", b".lzma"]) {
            Some(Self::Xz)
        } else if ends(&[b".zst", b".tzst"]) {
            Some(Self::Zstd)
        } else {
            None
        }
    }

    /// A reader of the text inside; several members one after the other are
    /// one text.
    pub fn reader<'r>(self, source: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::bufread::MultiGzDecoder::new(
                BufReader::with_capacity(64 * 1024, source),
            )),
            Self::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(
                BufReader::with_capacity(64 * 1024, source),
            )),
            Self::Xz => Box::new(lzma_rust2::XzReader::new(
                BufReader::with_capacity(64 * 1024, source),
                true,
            )),
            Self::Zstd => Box::new(ZstdReader {
                source: Some(BufReader::with_capacity(64 * 1024, source)),
                current: None,
            }),
        })
    }

    /// A writer that compresses; `finish` must be called on it.
    pub fn writer<'w>(self, sink: impl Write + 'w, level: u32) -> io::Result<Box<dyn Finish + 'w>> {
        Ok(match self {
            Self::Gzip => {
                let level = flate2::Compression::new(level.clamp(1, 9));
                Box::new(
                    flate2::GzBuilder::new()
                        .operating_system(3)
                        .write(sink, level),
                )
            }
            Self::Bzip2 => Box::new(bzip2::write::BzEncoder::new(
                sink,
                bzip2::Compression::new(level.clamp(1, 9)),
            )),
            Self::Xz => Box::new(lzma_rust2::XzWriter::new(
                sink,
                lzma_rust2::XzOptions::with_preset(level.min(9)),
            )?),
            Self::Zstd => Box::new(ZstdWriter {
                sink: Some(sink),
                text: Vec::new(),
            }),
        })
    }
}

/// A writer with an end.
pub trait Finish: Write {
    /// Writes what is left.
    fn finish(self: Box<Self>) -> io::Result<()>;
}

impl<W: Write> Finish for flate2::write::GzEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        (*self).finish()?.flush()
    }
}

impl<W: Write> Finish for bzip2::write::BzEncoder<W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        (*self).finish()?.flush()
    }
}

impl<W: Write> Finish for lzma_rust2::XzWriter<W> {
    fn finish(self: Box<Self>) -> io::Result<()> {
        (*self).finish()?.flush()
    }
}

/// Frames one after the other.
struct ZstdReader<R: Read> {
    source: Option<BufReader<R>>,
    current: Option<
        Box<ruzstd::decoding::StreamingDecoder<BufReader<R>, ruzstd::decoding::FrameDecoder>>,
    >,
}

impl<R: Read> Read for ZstdReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        use std::io::BufRead;
        loop {
            if let Some(decoder) = &mut self.current {
                let got = decoder.read(buffer)?;
                if got > 0 {
                    return Ok(got);
                }
                if let Some(done) = self.current.take() {
                    self.source = Some(done.into_inner());
                }
            }
            let Some(mut source) = self.source.take() else {
                return Ok(0);
            };
            if source.fill_buf()?.is_empty() {
                self.source = Some(source);
                return Ok(0);
            }
            let decoder = ruzstd::decoding::StreamingDecoder::new(source)
                .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, e.to_string()))?;
            self.current = Some(Box::new(decoder));
        }
    }
}

/// The library compresses a whole text at once.
struct ZstdWriter<W: Write> {
    sink: Option<W>,
    text: Vec<u8>,
}

/// Text is compressed in frames of this size, so that memory stays bounded.
const FRAME: usize = 8 << 20;

impl<W: Write> ZstdWriter<W> {
    fn frame(&mut self) -> io::Result<()> {
        let packed = ruzstd::encoding::compress_to_vec(
            self.text.as_slice(),
            ruzstd::encoding::CompressionLevel::Fastest,
        );
        self.text.clear();
        match &mut self.sink {
            Some(sink) => sink.write_all(&packed),
            None => Ok(()),
        }
    }
}

impl<W: Write> Write for ZstdWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        if self.text.len() >= FRAME {
            self.frame()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write> Finish for ZstdWriter<W> {
    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.frame()?;
        match &mut self.sink {
            Some(sink) => sink.flush(),
            None => Ok(()),
        }
    }
}
