//! A root file system becomes an image of one layer.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use image::{Config, History, media};
use names::Digest;

use super::{ImportError, Progress, Report};
use crate::{
    archive::{self, ReadError},
    blob_io::{self, Hashing},
    images::Images,
    layer_tar::Source,
    layers::{GZIP_LEVEL, Layer, StoreError, blocking},
};

/// What Docker gives to images that do not say otherwise.
const DEFAULT_PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Between two reports of progress.
const REPORT_BYTES: u64 = 16 * 1024 * 1024;

impl Images {
    pub(super) async fn import_folder(&self, source: &Path) -> Result<Digest, ImportError> {
        let layer = self.layers.store(source, Source::RootFs).await.map_err(|error| match error {
            StoreError::Layer(error) => ImportError::Layer(error),
            StoreError::Blob(error) => ImportError::Blob(error),
        })?;
        Ok(self.put_image(&self.plain_config(), &[layer]).await?)
    }

    /// The tar is kept as it is, only compressed anew: whiteouts and owners stay what they were.
    pub(super) async fn import_tar(&self, source: &Path, report: &Report) -> Result<Digest, ImportError> {
        let (mut writer, stream) = blob_io::pipe();
        let (path, report) = (source.to_owned(), report.clone());
        let copied = blocking(move || {
            let copied = compress(&path, &mut writer, &report);
            match copied {
                Ok(diff_id) => {
                    writer.finish(Ok(()));
                    Ok(diff_id)
                }
                Err(error) => {
                    writer.finish(Err(io::Error::other("the source could not be read")));
                    Err(ImportError::Archive { path, source: ReadError::Io(error) })
                }
            }
        });
        let (diff_id, stored) = tokio::join!(copied, self.blobs.put(stream));
        let diff_id = diff_id?;
        let (digest, size) = stored?;
        let media_type = media::OCI_LAYER_GZIP.to_owned();
        let layer = Layer { digest, diff_id, size, media_type, dir: self.layers.dir(diff_id) };
        Ok(self.put_image(&self.plain_config(), &[layer]).await?)
    }

    fn plain_config(&self) -> Config {
        let mut config = Config::scratch(&self.machine);
        config.config.env.push(DEFAULT_PATH.to_owned());
        config.history.push(History { created_by: Some("landfall image import".to_owned()), ..History::default() });
        config
    }
}

fn compress(source: &Path, writer: &mut blob_io::ChunkWriter, report: &Report) -> io::Result<Digest> {
    let (_, plain) = archive::decompress(File::open(source)?)?;
    let mut plain = Hashing::new(Telling { inner: plain, count: 0, told: 0, report });
    let gzip = flate2::GzBuilder::new().mtime(0).operating_system(255);
    let mut gzip = gzip.write(writer, flate2::Compression::new(GZIP_LEVEL));
    let limit = archive::Limits::IMAGE.total_bytes;
    let mut buffered = io::BufReader::with_capacity(256 * 1024, (&mut plain).take(limit));
    if io::copy(&mut buffered, &mut gzip)? == limit {
        return Err(io::Error::other(format!("it is larger than {limit} bytes")));
    }
    gzip.finish()?;
    Ok(plain.finish().1)
}

/// Tells now and then how much was read.
struct Telling<'a, R> {
    inner: R,
    count: u64,
    told: u64,
    report: &'a Report,
}

impl<R: Read> Read for Telling<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.count += read as u64;
        if self.count - self.told >= REPORT_BYTES {
            self.told = self.count;
            (self.report)(Progress::Copied(self.count));
        }
        Ok(read)
    }
}
