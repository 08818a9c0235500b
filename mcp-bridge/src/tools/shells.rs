//! Commands in the background: Bash with `run_in_background`, BashOutput, KillShell.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hardshell_host::{CallController, CallHandle, CallSpec, Limits, Output, Report};
use parking_lot::Mutex;
use regex::Regex;
use rmcp::model::JsonObject;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use super::bash::ending;
use super::capture::Capture;
use super::follow::{CHUNKS, cut_note};
use super::spill::{Kept, Spill};
use crate::outcome::{Finished, Outcome, ToolObserver, ToolOutcome, report_json};
use crate::session::Session;

/// Finished commands that are remembered.
const REMEMBERED: usize = 64;
/// How long KillShell waits for the end.
const KILL_WAIT: Duration = Duration::from_secs(2);
/// Characters of a command that a message repeats.
const COMMAND_CHARS: usize = 200;

/// The commands in the background of one session.
pub(crate) struct Shells {
    running_max: usize,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    next: u64,
    shells: BTreeMap<u64, Arc<Shell>>,
}

/// One command in the background.
struct Shell {
    id: String,
    command: String,
    file: Option<String>,
    controller: CallController,
    state: Mutex<State>,
    ended: Notify,
}

struct State {
    /// Output that BashOutput has not returned yet.
    unread: Capture,
    /// With a filter, the beginning of a line whose end is not there yet.
    partial: String,
    killed: bool,
    report: Option<Report>,
    kept: Option<Kept>,
    /// Whether the model knows that it has ended.
    told: bool,
}

impl Shells {
    pub(crate) fn new(running_max: usize) -> Self {
        Shells {
            running_max,
            inner: Mutex::new(Inner::default()),
        }
    }

    fn get(&self, id: &str) -> Option<Arc<Shell>> {
        self.inner
            .lock()
            .shells
            .values()
            .find(|shell| shell.id == id)
            .cloned()
    }

    /// Takes the next number if one more command may run.
    fn reserve(&self) -> Result<u64, String> {
        let mut inner = self.inner.lock();
        let running: Vec<&str> = inner
            .shells
            .values()
            .filter(|shell| shell.state.lock().report.is_none())
            .map(|shell| shell.id.as_str())
            .collect();
        if running.len() >= self.running_max {
            return Err(format!(
                "Too many commands run in the background: {} ({}). End one with KillShell first.",
                running.len(),
                running.join(", ")
            ));
        }
        inner.next = inner.next.saturating_add(1);
        Ok(inner.next)
    }

    fn insert(&self, number: u64, shell: Arc<Shell>) {
        let mut inner = self.inner.lock();
        inner.shells.insert(number, shell);
        while inner.shells.len() > REMEMBERED.saturating_add(self.running_max) {
            let oldest = inner
                .shells
                .iter()
                .find(|(_, shell)| shell.state.lock().report.is_some())
                .map(|(number, _)| *number);
            match oldest {
                Some(number) => drop(inner.shells.remove(&number)),
                None => break,
            }
        }
    }
}

impl Drop for Shells {
    fn drop(&mut self) {
        for shell in self.inner.get_mut().shells.values() {
            shell.controller.cancel();
        }
    }
}

/// Starts a command and answers at once.
pub(crate) fn start(session: &Session, command: &str, timeout: Option<Duration>) -> ToolOutcome {
    let number = match session.shells.reserve() {
        Ok(number) => number,
        Err(error) => return ToolOutcome::error(error),
    };
    let sandbox = session.sandbox();
    let mut limits: Limits = sandbox.limits().clone();
    limits.wall = timeout.unwrap_or(limits.wall).min(limits.wall);
    let deadline = limits.wall;
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let spec = CallSpec::new(["sh", "-c", command])
        .stdout(Output::Stream(sender))
        .stderr(Output::Merged)
        .limits(limits);
    let handle = match sandbox.start(spec) {
        Ok(handle) => handle,
        Err(error) => {
            return ToolOutcome::error(format!("The command could not be started: {error}"));
        }
    };
    let id = format!("bash_{number}");
    let spill = Spill::start(sandbox, &id);
    let shell = Arc::new(Shell {
        id: id.clone(),
        command: short(command),
        file: spill.as_ref().ok().map(|spill| spill.path().to_owned()),
        controller: handle.controller(),
        state: Mutex::new(State {
            unread: Capture::new(session.options().max_output_chars),
            partial: String::new(),
            killed: false,
            report: None,
            kept: None,
            told: false,
        }),
        ended: Notify::new(),
    });
    session.shells.insert(number, Arc::clone(&shell));
    let digest = blake3::hash(command.as_bytes()).to_hex().to_string();
    tokio::spawn(attend(
        Arc::clone(&shell),
        handle,
        receiver,
        spill,
        Arc::clone(&session.options().observer),
        digest,
    ));
    let mut text = format!("Command running in background with ID: {id}");
    text.push_str(&format!(
        "\nIt is ended after {} s at the latest. Use BashOutput to see its output",
        deadline.as_secs()
    ));
    if let Some(file) = &shell.file {
        text.push_str(&format!("; all of it is written to {file} as well"));
    }
    text.push('.');
    let mut outcome = ToolOutcome::text(text);
    outcome.meta.insert(
        "hardshell/shell".into(),
        json!({"id": id, "outputFile": shell.file, "deadlineMs": deadline.as_millis() as u64}),
    );
    outcome
}

/// Takes a command's output until its end.
async fn attend(
    shell: Arc<Shell>,
    handle: CallHandle,
    mut output: mpsc::Receiver<Bytes>,
    spill: Result<Spill, String>,
    observer: Arc<dyn ToolObserver>,
    arguments_digest: String,
) {
    let started = Instant::now();
    let mut lost = None;
    let mut spill = match spill {
        Ok(spill) => Some(spill),
        Err(error) => {
            lost = Some(error);
            None
        }
    };
    let wait = tokio::spawn(handle.wait());
    while let Some(chunk) = output.recv().await {
        shell.state.lock().unread.push(&chunk);
        let taken = match &spill {
            Some(spill) => spill.push(chunk).await,
            None => true,
        };
        if !taken && let Some(broken) = spill.take() {
            lost = match broken.finish().await {
                Kept::Lost(why) => Some(why),
                Kept::Whole(_) => Some("the file ended early".into()),
            };
        }
    }
    let Ok(report) = wait.await else { return };
    let kept = match spill {
        Some(spill) => Some(spill.finish().await),
        None => lost.map(Kept::Lost),
    };
    let outcome = match report.status {
        _ if report.termination.is_limit() => Outcome::Limit,
        0 => Outcome::Success,
        _ => Outcome::Failure,
    };
    observer.finished(&Finished {
        tool: "Bash",
        arguments_digest,
        outcome,
        report: Some(&report),
        elapsed: started.elapsed(),
    });
    {
        let mut state = shell.state.lock();
        state.report = Some(report);
        state.kept = kept;
    }
    shell.ended.notify_waiters();
}

/// BashOutput: what is new since the last look.
pub(crate) fn output(session: &Session, arguments: &JsonObject) -> ToolOutcome {
    let id = arguments
        .get("bash_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let Some(shell) = session.shells.get(id) else {
        return ToolOutcome::error(format!("No shell found with ID: {id}"));
    };
    let filter = match arguments
        .get("filter")
        .and_then(Value::as_str)
        .map(filter)
        .transpose()
    {
        Ok(filter) => filter,
        Err(error) => return ToolOutcome::error(error),
    };
    let mut state = shell.state.lock();
    let unread = state.unread.take();
    let file = match (&state.kept, &shell.file) {
        (Some(kept), _) => Some(cut_note("", Some(kept))),
        (None, Some(path)) => Some(cut_note("", Some(&Kept::Whole(path.clone())))),
        (None, None) => None,
    };
    let mut text =
        unread.text(|what| format!("{what}{}", file.unwrap_or_else(|| " truncated".into())));
    let new_bytes = unread.total();
    if let Some(filter) = &filter {
        text = filtered(&mut state, &unread, &text, filter);
    }
    let status = state.status();
    let mut out = format!("<status>{status}</status>\n\n");
    if let Some(report) = &state.report {
        out.push_str(&format!("<exit_code>{}</exit_code>\n\n", report.status));
    }
    if text.is_empty() {
        out.push_str("(no new output)");
    } else {
        out.push_str(&format!("<stdout>\n{text}\n</stdout>"));
    }
    let mut meta = JsonObject::new();
    if let Some(report) = &state.report {
        for sentence in ending(report) {
            out.push_str("\n\n");
            out.push_str(&sentence);
        }
        meta.insert(crate::outcome::REPORT_KEY.to_owned(), report_json(report));
    }
    let structured = json!({
        "status": status,
        "exitCode": state.report.as_ref().map(|report| report.status),
        "output": text,
        "newBytes": new_bytes,
        "outputFile": shell.file,
    });
    state.told |= state.report.is_some();
    ToolOutcome {
        meta,
        structured: Some(structured),
        ..ToolOutcome::text(out)
    }
}

/// KillShell: ends a command.
pub(crate) async fn kill(session: &Session, arguments: &JsonObject) -> ToolOutcome {
    let id = arguments
        .get("shell_id")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let Some(shell) = session.shells.get(id) else {
        return ToolOutcome::error(format!("No shell found with ID: {id}"));
    };
    let ended = shell.ended.notified();
    {
        let mut state = shell.state.lock();
        if state.report.is_some() {
            return ToolOutcome::error(format!(
                "Shell {id} is not running, so cannot be killed (status: {})",
                state.status()
            ));
        }
        state.killed = true;
        state.told = true;
    }
    shell.controller.cancel();
    let in_time =
        tokio::time::timeout(KILL_WAIT, ended).await.is_ok() || shell.state.lock().report.is_some();
    let text = if in_time {
        format!("Successfully killed shell: {id} ({})", shell.command)
    } else {
        format!(
            "Shell {id} ({}) was told to end and will within moments.",
            shell.command
        )
    };
    ToolOutcome::text(text)
}

/// One sentence for each command that has ended since the model was last told.
pub(crate) fn notices(session: &Session) -> Vec<String> {
    let shells: Vec<Arc<Shell>> = session
        .shells
        .inner
        .lock()
        .shells
        .values()
        .cloned()
        .collect();
    let mut notices = Vec::new();
    for shell in shells {
        let mut state = shell.state.lock();
        if state.told {
            continue;
        }
        if let Some(report) = &state.report {
            notices.push(format!(
                "<system-reminder>Background command {} ({}) has ended: {}, exit code {}. \
                 Use BashOutput to see its output.</system-reminder>",
                shell.id,
                shell.command,
                state.status(),
                report.status
            ));
            state.told = true;
        }
    }
    notices
}

impl State {
    fn status(&self) -> &'static str {
        match &self.report {
            None => "running",
            Some(_) if self.killed => "killed",
            Some(report) if report.status == 0 => "completed",
            Some(_) => "failed",
        }
    }
}

fn filter(pattern: &str) -> Result<Regex, String> {
    regex::RegexBuilder::new(pattern)
        .size_limit(1 << 20)
        .build()
        .map_err(|error| format!("Invalid filter: {error}"))
}

/// The lines that fit. A line without its end waits for it while the command runs.
fn filtered(state: &mut State, unread: &Capture, shown: &str, filter: &Regex) -> String {
    // Of an output that was cut, only what is shown can be filtered.
    let new = match unread.whole() {
        Some(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        None => shown.to_owned(),
    };
    let mut text = std::mem::take(&mut state.partial);
    text.push_str(&new);
    if state.report.is_none() {
        let end = text.rfind('\n').map_or(0, |at| at + 1);
        state.partial = text.split_off(end);
    }
    text.lines()
        .filter(|line| filter.is_match(line))
        .collect::<Vec<_>>()
        .join("\n")
}

fn short(command: &str) -> String {
    let line: String = command.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(COMMAND_CHARS) {
        Some((cut, _)) => format!("{}...", line.get(..cut).unwrap_or_default()),
        None => line,
    }
}
