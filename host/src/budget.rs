//! Memory that the processes of a sandbox share.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts bytes against a limit.
pub(crate) struct MemoryBudget {
    limit: u64,
    used: AtomicU64,
    peak: AtomicU64,
    above: Option<Arc<MemoryBudget>>,
}

impl MemoryBudget {
    pub(crate) fn new(limit: u64) -> Self {
        MemoryBudget {
            limit,
            used: AtomicU64::new(0),
            peak: AtomicU64::new(0),
            above: None,
        }
    }

    /// A budget within another one.
    pub(crate) fn below(limit: u64, above: &Arc<MemoryBudget>) -> Self {
        MemoryBudget {
            above: Some(Arc::clone(above)),
            ..MemoryBudget::new(limit)
        }
    }

    /// Takes `bytes`, or nothing when they would exceed a limit.
    pub(crate) fn charge(&self, bytes: u64) -> bool {
        if let Some(above) = &self.above
            && !above.charge(bytes)
        {
            return false;
        }
        if self.charge_here(bytes) {
            return true;
        }
        if let Some(above) = &self.above {
            above.release(bytes);
        }
        false
    }

    fn charge_here(&self, bytes: u64) -> bool {
        let taken = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                used.checked_add(bytes).filter(|sum| *sum <= self.limit)
            });
        match taken {
            Ok(before) => {
                self.peak
                    .fetch_max(before.saturating_add(bytes), Ordering::AcqRel);
                true
            }
            Err(_) => false,
        }
    }

    pub(crate) fn release(&self, bytes: u64) {
        if let Some(above) = &self.above {
            above.release(bytes);
        }
        let _ = self
            .used
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |used| {
                Some(used.saturating_sub(bytes))
            });
    }

    pub(crate) fn used(&self) -> u64 {
        self.used.load(Ordering::Acquire)
    }

    pub(crate) fn peak(&self) -> u64 {
        self.peak.load(Ordering::Acquire)
    }
}
