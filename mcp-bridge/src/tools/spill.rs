//! The whole of an overlong output, kept in a file of the sandbox.
//!
//! The host writes nothing there itself: a guest does, and meets the same quota as any
//! other process of the sandbox.

use bytes::Bytes;
use hardshell_host::{CallSpec, Input, Output, Report, Sandbox};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use uuid::Uuid;

/// Chunks on their way to the file; when they pile up, the command waits.
const CHUNKS: usize = 16;

/// A file that is being written.
pub(crate) struct Spill {
    path: String,
    sender: mpsc::Sender<Bytes>,
    writer: JoinHandle<Report>,
}

/// What became of a file.
pub(crate) enum Kept {
    /// It holds everything.
    Whole(String),
    /// It could not be written to its end; the sentence says why.
    Lost(String),
}

impl Spill {
    /// Begins a file. `None` when the sandbox cannot run what writes it.
    pub(crate) fn start(sandbox: &Sandbox, name: &str) -> Result<Spill, String> {
        let path = format!("/tmp/{name}-{}.txt", Uuid::new_v4().simple());
        let (sender, receiver) = mpsc::channel(CHUNKS);
        let spec = CallSpec::new(["files", "Keep", path.as_str()])
            .cwd("/")
            .stdin(Input::Stream(receiver))
            .stdout(Output::Null)
            .stderr(Output::Capture);
        let handle = sandbox.start(spec).map_err(|error| error.to_string())?;
        let writer = tokio::spawn(handle.wait());
        Ok(Spill {
            path,
            sender,
            writer,
        })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Adds to the file. False when it takes no more.
    pub(crate) async fn push(&self, bytes: Bytes) -> bool {
        self.sender.send(bytes).await.is_ok()
    }

    /// Ends the file.
    pub(crate) async fn finish(self) -> Kept {
        let Spill {
            path,
            sender,
            writer,
        } = self;
        drop(sender);
        match writer.await {
            Ok(report) if report.termination.success() => Kept::Whole(path),
            Ok(report) => Kept::Lost(reason(&report)),
            Err(error) => Kept::Lost(error.to_string()),
        }
    }
}

fn reason(report: &Report) -> String {
    let said = String::from_utf8_lossy(&report.stderr);
    let said = said.trim();
    match &report.sentence {
        Some(sentence) => sentence.clone(),
        None if !said.is_empty() => said.to_owned(),
        None => report.termination.to_string(),
    }
}
