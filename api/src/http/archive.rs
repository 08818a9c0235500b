//! A tar archive of a conversation's files, written as it is read: nothing is kept in memory
//! but one chunk. The format is POSIX ustar with pax headers for long names.

use std::sync::Arc;

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use hardshell_service::{ConversationId, FileView, Principal, Service};
use tokio::sync::mpsc;

const BLOCK: usize = 512;

/// The archive as a stream; a file that cannot be read breaks it off, so that nobody takes a
/// part for the whole.
pub(super) fn tar(
    service: Arc<Service>,
    caller: Principal,
    conversation: ConversationId,
    files: Vec<FileView>,
) -> impl Stream<Item = std::io::Result<Bytes>> + Send {
    let (sender, receiver) = mpsc::channel(4);
    tokio::spawn(async move {
        if let Err(error) = write(&service, &caller, &conversation, files, &sender).await {
            let _ = sender.send(Err(error)).await;
        }
    });
    tokio_stream::wrappers::ReceiverStream::new(receiver)
}

type Sender = mpsc::Sender<std::io::Result<Bytes>>;

async fn write(
    service: &Service,
    caller: &Principal,
    conversation: &ConversationId,
    files: Vec<FileView>,
    to: &Sender,
) -> std::io::Result<()> {
    for file in files.iter().filter(|file| !file.digest.is_empty()) {
        let mut content = service
            .open_file(caller, conversation, &file.path)
            .await
            .map_err(|e| std::io::Error::other(e.public().to_owned()))?;
        let size = content.file.size;
        send(to, entry_header(&content.file)).await?;
        let mut left = size;
        while let Some(chunk) = content.bytes.next().await {
            let chunk = chunk?;
            left = left
                .checked_sub(u64::try_from(chunk.len()).unwrap_or(u64::MAX))
                .ok_or_else(|| std::io::Error::other("a file is longer than its entry"))?;
            send(to, chunk).await?;
        }
        if left > 0 {
            return Err(std::io::Error::other("a file is shorter than its entry"));
        }
        send(to, padding(size)).await?;
    }
    send(to, Bytes::from_static(&[0; 2 * BLOCK])).await
}

async fn send(to: &Sender, bytes: Bytes) -> std::io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    to.send(Ok(bytes))
        .await
        .map_err(|_| std::io::ErrorKind::BrokenPipe.into())
}

fn padding(size: u64) -> Bytes {
    let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
    Bytes::from_static(&[0; BLOCK]).slice(..(BLOCK - over) % BLOCK)
}

fn entry_header(file: &FileView) -> Bytes {
    let mtime = u64::try_from(file.updated_at / 1_000_000).unwrap_or(0);
    let mode = u64::from(file.mode & 0o7777);
    let mut out = Vec::with_capacity(3 * BLOCK);
    let name = file.path.as_bytes();
    if name.len() > 100 || !name.is_ascii() || file.size > 0o77_777_777_777 {
        let mut records = record("path", &file.path);
        records.extend(record("size", &file.size.to_string()));
        out.extend(header(b"pax", b'x', 0o644, records.len() as u64, mtime));
        let length = records.len() as u64;
        out.extend(records);
        out.extend_from_slice(&padding(length));
    }
    out.extend(header(name, b'0', mode, file.size, mtime));
    Bytes::from(out)
}

/// `LENGTH key=value\n`, where LENGTH counts itself.
fn record(key: &str, value: &str) -> Vec<u8> {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    format!("{length} {key}={value}\n").into_bytes()
}

fn header(name: &[u8], kind: u8, mode: u64, size: u64, mtime: u64) -> [u8; BLOCK] {
    let mut block = [0u8; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(target) = block.get_mut(at..at + bytes.len()) {
            target.copy_from_slice(bytes);
        }
    };
    put(0, name.get(..100).unwrap_or(name));
    put(100, format!("{mode:07o}\0").as_bytes());
    put(108, b"0001750\0");
    put(116, b"0001750\0");
    put(
        124,
        format!("{:011o}\0", size.min(0o77_777_777_777)).as_bytes(),
    );
    put(
        136,
        format!("{:011o}\0", mtime.min(0o77_777_777_777)).as_bytes(),
    );
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u64 = block.iter().map(|b| u64::from(*b)).sum();
    if let Some(target) = block.get_mut(148..156) {
        target.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
    block
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn records_count_themselves() {
        for (value, want) in [
            ("x", "9 path=x\n"),
            ("12345678901234567890", "29 path=12345678901234567890\n"),
        ] {
            assert_eq!(String::from_utf8(record("path", value)).unwrap(), want);
            assert_eq!(
                want.len(),
                want.split(' ').next().unwrap().parse::<usize>().unwrap()
            );
        }
        let long = "y".repeat(200);
        let made = String::from_utf8(record("path", &long)).unwrap();
        assert_eq!(
            made.split(' ').next().unwrap().parse::<usize>().unwrap(),
            made.len()
        );
    }

    #[test]
    fn headers_have_the_right_sum() {
        let block = header(b"a.txt", b'0', 0o644, 5, 1);
        let text = String::from_utf8_lossy(&block[148..154]).into_owned();
        let mut zeroed = block;
        zeroed[148..156].copy_from_slice(b"        ");
        let sum: u64 = zeroed.iter().map(|b| u64::from(*b)).sum();
        assert_eq!(u64::from_str_radix(&text, 8).unwrap(), sum);
        assert_eq!(padding(0).len(), 0);
        assert_eq!(padding(1).len(), 511);
        assert_eq!(padding(512).len(), 0);
    }
}
