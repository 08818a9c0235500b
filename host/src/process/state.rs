//! What lives in a process's store.

use std::sync::Arc;

use wasmtime::{Memory, ResourceLimiter};

use super::args::Strings;
use super::group::Group;
use super::{Proc, Stop};
use crate::errno::Errno;
use crate::fd::{Description, FdTable, Kind};
use crate::sentence;
use crate::vfs::{Actor, Base, Cwd, Vfs};

/// The data of a store.
pub(crate) struct State {
    pub(crate) proc: Arc<Proc>,
    pub(crate) group: Arc<Group>,
    pub(crate) vfs: Arc<Vfs>,
    pub(crate) fds: FdTable,
    pub(crate) cwd: Cwd,
    pub(crate) actor: Actor,
    pub(crate) env: Arc<Strings>,
    pub(crate) blob: Vec<u8>,
    /// Imports something of the `hardshell` module: knows absolute paths.
    pub(crate) aware: bool,
    pub(crate) memory: Option<Memory>,
    /// Bytes charged to the call: linear memories, arguments, start-up blob.
    charged: u64,
    linear: u64,
    last_growth: u64,
}

impl State {
    #[allow(clippy::too_many_arguments)]
    pub(crate) fn new(
        proc: Arc<Proc>,
        vfs: Arc<Vfs>,
        fds: FdTable,
        cwd: Cwd,
        actor: Actor,
        env: Arc<Strings>,
        blob: Vec<u8>,
    ) -> State {
        State {
            group: Arc::clone(&proc.group),
            proc,
            vfs,
            fds,
            cwd,
            actor,
            env,
            blob,
            aware: false,
            memory: None,
            charged: 0,
            linear: 0,
            last_growth: 0,
        }
    }

    /// Charges host memory that the process makes the kernel hold.
    pub(crate) fn charge(&mut self, bytes: u64) -> Result<(), Stop> {
        if !self.group.memory.charge(bytes) {
            return Err(self.out_of_memory());
        }
        self.charged = self.charged.saturating_add(bytes);
        Ok(())
    }

    /// The processes together want more than they may have: the call ends.
    pub(crate) fn out_of_memory(&self) -> Stop {
        let stop = sentence::memory(self.group.limits.memory, self.group.memory.used());
        self.group.terminate(stop.clone());
        stop
    }

    /// Where a path begins that the guest gives relative to descriptor `fd`.
    pub(crate) fn base<'a>(&'a self, fd: u32, path: &[u8]) -> Result<Base<'a>, Errno> {
        let desc = self.fds.get(fd)?;
        let Kind::Dir(dir) = &desc.kind else {
            return Err(Errno::NOTDIR);
        };
        Ok(if !desc.preopen {
            Base::Dir(dir)
        } else if self.aware {
            Base::Root
        } else {
            self.vfs.foreign_base(&self.cwd, path)
        })
    }

    /// Turns a full quota into the end of the process; every other error is the guest's.
    pub(crate) fn outcome<T>(
        &self,
        result: Result<T, Errno>,
    ) -> wasmtime::Result<Result<T, Errno>> {
        if matches!(result, Err(Errno::DQUOT))
            && let Some(hit) = self.actor.take_quota_hit()
        {
            return Err(self.stop(sentence::quota(&hit)));
        }
        Ok(result)
    }

    /// The error that ends the guest.
    pub(crate) fn stop(&self, stop: Stop) -> wasmtime::Error {
        wasmtime::Error::new(stop)
    }

    /// Tells people on the process's stderr, as far as that takes it without waiting.
    pub(crate) fn say(&self, sentence: &str) {
        let line = format!("{sentence}\n");
        if let Ok(desc) = self.fds.get(2) {
            let _ = crate::wasi::io::try_write(desc, &self.actor, &self.group, &[line.as_bytes()]);
        }
    }

    /// A description under the next free number.
    pub(crate) fn add(&mut self, desc: Arc<Description>) -> Result<u32, Errno> {
        // Numbers below the root belong to stdin, stdout and stderr, closed or not: C
        // programs rely on the lowest free number.
        self.fds.insert(desc, 0)
    }
}

impl Drop for State {
    fn drop(&mut self) {
        self.group.memory.release(self.charged);
        self.proc.set_memory(0);
    }
}

impl ResourceLimiter for State {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.last_growth = 0;
        if maximum.is_some_and(|maximum| desired > maximum) {
            return Ok(false);
        }
        let growth = (desired as u64).saturating_sub(current as u64);
        let linear = self.linear.saturating_add(growth);
        let limit = self.group.limits.memory_per_process;
        if linear > limit {
            return Err(self.stop(sentence::memory_per_process(limit, linear)));
        }
        self.charge(growth).map_err(|stop| self.stop(stop))?;
        self.linear = linear;
        self.last_growth = growth;
        self.proc.set_memory(linear);
        Ok(true)
    }

    fn memory_grow_failed(&mut self, _error: wasmtime::Error) -> wasmtime::Result<()> {
        let growth = std::mem::take(&mut self.last_growth);
        self.group.memory.release(growth);
        self.charged = self.charged.saturating_sub(growth);
        self.linear = self.linear.saturating_sub(growth);
        self.proc.set_memory(self.linear);
        Ok(())
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(maximum.is_none_or(|maximum| desired <= maximum))
    }
}
