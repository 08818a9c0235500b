//! What changed below the writable mounts, recorded as it happens.
//!
//! Two scopes record the same events: the call and the session. A scope compares its start
//! with now, so that whatever cancels out leaves no trace. It is bounded: when there are
//! more changes than it may hold, or when something happened that it cannot name exactly,
//! it says that a scan is needed rather than being silently wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{Change, ChangeKind, FileType, path};

/// Changes that a scope holds at most.
const MAX_CHANGES: usize = 100_000;
/// Bytes of paths that a scope holds at most.
const MAX_BYTES: usize = 16 << 20;

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Created,
    Modified,
    Mode,
    Renamed { from: Vec<u8>, mode: bool },
}

/// The changes between the start of a scope and now.
#[derive(Default)]
pub(super) struct Scope {
    /// By name as of now.
    live: BTreeMap<Vec<u8>, (State, FileType)>,
    /// By name as of the start.
    removed: BTreeMap<Vec<u8>, FileType>,
    /// How many of `live` stand for something that was not at its name at the start: only
    /// then may a name below have another origin than itself.
    displaced: usize,
    bytes: usize,
    incomplete: bool,
}

/// Something that happened. Paths are as of just before.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event<'a> {
    Created(&'a [u8], FileType),
    Modified(&'a [u8]),
    Mode(&'a [u8], FileType),
    Removed(&'a [u8], FileType),
    /// `replaced` is the type of what was at the new name.
    Renamed {
        from: &'a [u8],
        to: &'a [u8],
        file_type: FileType,
        replaced: Option<FileType>,
    },
    /// Something changed whose name is not known.
    Unknown,
}

/// Bytes of paths in an entry, and 1 if it is a directory whose name means another at the
/// start.
fn weight((state, file_type): &(State, FileType)) -> (usize, usize) {
    let (bytes, moved) = match state {
        State::Renamed { from, .. } => (from.len(), true),
        State::Created => (0, true),
        State::Modified | State::Mode => (0, false),
    };
    (bytes, usize::from(moved && *file_type == FileType::Dir))
}

fn below<'a>(path: &'a [u8], dir: &[u8]) -> Option<&'a [u8]> {
    path.strip_prefix(dir)
        .filter(|rest| rest.first() == Some(&b'/'))
}

impl Scope {
    fn put(&mut self, path: &[u8], state: State, file_type: FileType) {
        self.insert(path.to_vec(), (state, file_type));
    }

    fn insert(&mut self, path: Vec<u8>, entry: (State, FileType)) {
        let len = path.len();
        let (bytes, displaced) = weight(&entry);
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(len);
        self.displaced = self.displaced.saturating_add(displaced);
        if let Some(old) = self.live.insert(path, entry) {
            self.forget(len, &old);
        }
    }

    fn take(&mut self, path: &[u8]) -> Option<(State, FileType)> {
        let taken = self.live.remove(path)?;
        self.forget(path.len(), &taken);
        Some(taken)
    }

    fn forget(&mut self, len: usize, entry: &(State, FileType)) {
        let (bytes, displaced) = weight(entry);
        self.bytes = self.bytes.saturating_sub(bytes).saturating_sub(len);
        self.displaced = self.displaced.saturating_sub(displaced);
    }

    fn put_removed(&mut self, path: Vec<u8>, file_type: FileType) {
        let len = path.len();
        if self.removed.insert(path, file_type).is_none() {
            self.bytes = self.bytes.saturating_add(len);
        }
    }

    /// The name that `path` had at the start; None if the directory that it is in did not
    /// exist then, so that nothing at this path did.
    fn origin(&self, path: &[u8]) -> Option<Vec<u8>> {
        if self.displaced == 0 {
            return Some(path.to_vec());
        }
        let mut end = path.len();
        while let Some(head) = path.get(..end) {
            match self.live.get(head) {
                Some((State::Renamed { from, .. }, _)) => {
                    return Some([from.as_slice(), path.get(end..)?].concat());
                }
                Some((State::Created, _)) => return None,
                _ => {}
            }
            match head.iter().rposition(|b| *b == b'/') {
                Some(slash) => end = slash,
                None => break,
            }
        }
        Some(path.to_vec())
    }

    pub(super) fn record(&mut self, event: Event<'_>) {
        if self.incomplete {
            return;
        }
        match event {
            Event::Created(path, file_type) => self.created(path, file_type),
            Event::Modified(path) => self.modified(path),
            Event::Mode(path, file_type) => self.mode(path, file_type),
            Event::Removed(path, file_type) => self.gone(path, file_type),
            Event::Renamed {
                from,
                to,
                file_type,
                replaced,
            } => {
                self.renamed(from, to, file_type, replaced);
            }
            Event::Unknown => self.incomplete = true,
        }
        if self.live.len() + self.removed.len() > MAX_CHANGES || self.bytes > MAX_BYTES {
            self.incomplete = true;
        }
        if self.incomplete {
            *self = Scope {
                incomplete: true,
                ..Scope::default()
            };
        }
    }

    fn created(&mut self, path: &[u8], file_type: FileType) {
        let origin = match self.removed.is_empty() {
            true => None,
            false => self.origin(path),
        };
        if let Some(origin) = origin.filter(|o| self.removed.get(o) == Some(&file_type)) {
            self.removed.remove(&origin);
            self.bytes = self.bytes.saturating_sub(origin.len());
            if file_type == FileType::Dir {
                // A directory has no content of its own: it is there again.
                self.put(path, State::Mode, file_type);
            } else {
                self.put(path, State::Modified, file_type);
            }
        } else {
            self.put(path, State::Created, file_type);
        }
    }

    fn modified(&mut self, path: &[u8]) {
        match self.live.get(path) {
            Some((State::Created | State::Modified, _)) => {}
            Some((State::Renamed { from, .. }, file_type)) => {
                let (from, file_type) = (from.clone(), *file_type);
                self.put_removed(from, file_type);
                self.put(path, State::Created, file_type);
            }
            Some((State::Mode, _)) | None => self.put(path, State::Modified, FileType::File),
        }
    }

    fn mode(&mut self, path: &[u8], file_type: FileType) {
        match self.live.get_mut(path) {
            Some((State::Renamed { mode, .. }, _)) => *mode = true,
            Some(_) => {}
            None => self.put(path, State::Mode, file_type),
        }
    }

    fn gone(&mut self, path: &[u8], file_type: FileType) {
        match self.take(path).map(|(state, _)| state) {
            Some(State::Created) => {}
            Some(State::Renamed { from, .. }) => self.put_removed(from, file_type),
            Some(State::Modified | State::Mode) | None => {
                if let Some(origin) = self.origin(path) {
                    self.put_removed(origin, file_type);
                }
            }
        }
    }

    fn renamed(&mut self, from: &[u8], to: &[u8], file_type: FileType, replaced: Option<FileType>) {
        // What was at the new name goes first; a file put over one that was there at the
        // start is that file, modified.
        if let Some(old) = replaced {
            self.gone(to, old);
        }
        let origin = self.origin(from).unwrap_or_else(|| from.to_vec());
        let was = self.take(from).map(|(state, _)| state);
        let prefix: Vec<u8> = [from, b"/"].concat();
        if file_type == FileType::Dir {
            let mut moved = Vec::new();
            for (path, _) in self.live.range(prefix.clone()..) {
                if below(path, from).is_none() {
                    break;
                }
                moved.push(path.clone());
            }
            for path in moved {
                if let Some(entry) = self.take(&path) {
                    let rest = below(&path, from).unwrap_or_default();
                    self.insert([to, rest].concat(), entry);
                }
            }
        }
        let target_origin = self.origin(to);
        let over_start = target_origin
            .as_ref()
            .is_some_and(|t| self.removed.get(t) == Some(&file_type));
        match was {
            Some(State::Created) => self.created(to, file_type),
            Some(State::Modified) => {
                self.put_removed(origin, file_type);
                self.created(to, file_type);
            }
            Some(State::Renamed { from: start, mode }) => {
                if Some(&start) == target_origin.as_ref() {
                    if mode {
                        self.put(to, State::Mode, file_type);
                    }
                } else if over_start && file_type != FileType::Dir {
                    self.put_removed(start, file_type);
                    self.created(to, file_type);
                } else {
                    self.put(to, State::Renamed { from: start, mode }, file_type);
                }
            }
            Some(State::Mode) | None => {
                let mode = was.is_some();
                if Some(&origin) == target_origin.as_ref() {
                    // Its directory was renamed and it came back to its old name.
                    if mode {
                        self.put(to, State::Mode, file_type);
                    }
                } else if over_start && file_type != FileType::Dir {
                    self.put_removed(origin, file_type);
                    self.created(to, file_type);
                } else {
                    self.put(to, State::Renamed { from: origin, mode }, file_type);
                }
            }
        }
    }

    /// The changes so far, removals first.
    pub(super) fn changes(&self) -> Vec<Change> {
        let mut out = Vec::with_capacity(self.live.len() + self.removed.len());
        let change = |kind, p: &[u8], file_type| Change {
            kind,
            path: path::escape(p),
            file_type,
        };
        for (p, file_type) in &self.removed {
            out.push(change(ChangeKind::Removed, p, *file_type));
        }
        for (p, (state, file_type)) in &self.live {
            match state {
                State::Created => out.push(change(ChangeKind::Created, p, *file_type)),
                State::Modified => out.push(change(ChangeKind::Modified, p, *file_type)),
                State::Mode => out.push(change(ChangeKind::Mode, p, *file_type)),
                State::Renamed { from, mode } => {
                    let from = path::escape(from);
                    out.push(change(ChangeKind::Renamed { from }, p, *file_type));
                    if *mode {
                        out.push(change(ChangeKind::Mode, p, *file_type));
                    }
                }
            }
        }
        out
    }

    pub(super) fn incomplete(&self) -> bool {
        self.incomplete
    }
}

/// The changes of one call.
pub(crate) struct CallJournal {
    /// Tells the calls of this host process apart.
    id: u64,
    scope: Mutex<Scope>,
}

impl CallJournal {
    /// An empty journal.
    pub(crate) fn new() -> Arc<CallJournal> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        Arc::new(CallJournal {
            id,
            scope: Mutex::default(),
        })
    }

    /// What the call changed so far.
    pub(crate) fn changes(&self) -> Vec<Change> {
        self.scope.lock().changes()
    }

    /// Whether [`CallJournal::changes`] is not all, and only a scan can tell.
    pub(crate) fn scan_needed(&self) -> bool {
        self.scope.lock().incomplete()
    }
}

/// The changes of a session.
#[derive(Default)]
pub(super) struct Session {
    scope: Mutex<Scope>,
    /// How often it was drained.
    drained: AtomicU64,
}

impl Session {
    pub(super) fn record(&self, call: &CallJournal, event: Event<'_>) {
        call.scope.lock().record(event);
        self.scope.lock().record(event);
    }

    /// Something that differs whenever a repeated write must be recorded again.
    pub(super) fn mark(&self, call: &CallJournal) -> u64 {
        (call.id << 24) ^ (self.drained.load(Ordering::Acquire) & 0xff_ffff)
    }

    pub(super) fn changes(&self) -> (Vec<Change>, bool) {
        let scope = self.scope.lock();
        (scope.changes(), scope.incomplete())
    }

    pub(super) fn drain(&self) -> (Vec<Change>, bool) {
        let mut scope = self.scope.lock();
        self.drained.fetch_add(1, Ordering::AcqRel);
        let old = std::mem::take(&mut *scope);
        drop(scope);
        (old.changes(), old.incomplete())
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
