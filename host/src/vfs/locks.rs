//! Advisory locks on whole files, among the processes of one sandbox.

use std::collections::HashMap;
use std::task::Waker;

use parking_lot::Mutex;

use super::ledger::Key;
use crate::errno::Errno;

/// What to do with the lock of an open file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lock {
    /// Hold it together with others.
    Shared,
    /// Hold it alone.
    Exclusive,
    /// Let it go.
    Unlock,
}

/// All locks. An owner is an open description.
#[derive(Default)]
pub(super) struct LockTable {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: HashMap<Key, Vec<(u64, bool)>>,
    waiting: Vec<Waker>,
}

/// Waiters kept; a process waits for at most one lock, so more than the processes that can
/// live would be stale.
const MAX_WAITING: usize = 65_536;

impl LockTable {
    /// Takes, changes or lets go of a lock; AGAIN if others hold it. As on Linux a change
    /// that fails has let go of what was held.
    pub(super) fn set(&self, key: Key, owner: u64, lock: Lock) -> Result<(), Errno> {
        let mut state = self.state.lock();
        let holders = state.held.entry(key).or_default();
        let before = holders.len();
        holders.retain(|(o, _)| *o != owner);
        let released = holders.len() != before;
        let free = match lock {
            Lock::Unlock => true,
            Lock::Shared => holders.iter().all(|(_, exclusive)| !exclusive),
            Lock::Exclusive => holders.is_empty(),
        };
        if free && lock != Lock::Unlock {
            holders.push((owner, lock == Lock::Exclusive));
        }
        if holders.is_empty() {
            state.held.remove(&key);
        }
        if released {
            state.waiting.drain(..).for_each(Waker::wake);
        }
        if free { Ok(()) } else { Err(Errno::AGAIN) }
    }

    /// Wakes `waker` when any lock is let go of.
    pub(super) fn wait(&self, waker: &Waker) {
        let mut state = self.state.lock();
        if state.waiting.iter().any(|w| w.will_wake(waker)) {
            return;
        }
        if state.waiting.len() >= MAX_WAITING {
            state.waiting.drain(..).for_each(Waker::wake);
        }
        state.waiting.push(waker.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_and_exclusive() {
        let table = LockTable::default();
        let f = (1, 1);
        for (owner, lock, want) in [
            (1, Lock::Shared, Ok(())),
            (2, Lock::Shared, Ok(())),
            (3, Lock::Exclusive, Err(Errno::AGAIN)),
            (1, Lock::Unlock, Ok(())),
            (2, Lock::Exclusive, Ok(())),
            (1, Lock::Shared, Err(Errno::AGAIN)),
            (2, Lock::Shared, Ok(())),
            (1, Lock::Shared, Ok(())),
            (1, Lock::Unlock, Ok(())),
            (2, Lock::Unlock, Ok(())),
            (3, Lock::Exclusive, Ok(())),
        ] {
            assert_eq!(table.set(f, owner, lock), want, "{owner} {lock:?}");
        }
        assert_eq!(table.set((1, 2), 9, Lock::Exclusive), Ok(()));
    }
}
