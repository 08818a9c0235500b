//! The job table.

use crate::os;
use crate::shell::{Job, Shell};
use std::rc::Rc;

impl Shell {
    /// Adds a job; its number.
    pub(crate) fn add_job(&mut self, mut job: Job) -> u32 {
        if std::mem::take(&mut self.st.foreign_jobs) {
            self.st.jobs = Rc::default();
        }
        let jobs = Rc::make_mut(&mut self.st.jobs);
        let id = jobs.iter().map(|j| j.id).max().unwrap_or(0) + 1;
        job.id = id;
        jobs.push(job);
        id
    }

    /// Notes a child's end.
    pub(crate) fn note_end(&mut self, e: os::Ended) {
        let mut known = false;
        for j in Rc::make_mut(&mut self.st.jobs) {
            if j.pids.contains(&e.pid) {
                j.ended.insert(e.pid, e.status);
                known = true;
            }
        }
        if !known {
            self.reaped.insert(e.pid, e.status);
        }
    }

    /// Looks which children have ended, without waiting.
    pub(crate) fn poll_jobs(&mut self) {
        if self.st.foreign_jobs {
            return;
        }
        let running: Vec<u32> = self
            .st
            .jobs
            .iter()
            .flat_map(|j| {
                j.pids
                    .iter()
                    .filter(|p| !j.ended.contains_key(p))
                    .copied()
                    .collect::<Vec<_>>()
            })
            .collect();
        for pid in running {
            match os::wait(Some(pid), false) {
                Ok(Some(e)) => self.note_end(e),
                Ok(None) => {}
                Err(_) => self.note_end(os::Ended {
                    pid,
                    status: 127,
                    by_signal: false,
                }),
            }
        }
    }

    /// Waits for a process of a job. `Err`: a trapped signal came first.
    pub(crate) fn wait_job_pid(&mut self, pid: u32) -> Result<i32, u32> {
        for j in self.st.jobs.iter() {
            if let Some(s) = j.ended.get(&pid) {
                return Ok(*s);
            }
        }
        if let Some(s) = self.reaped.get(&pid) {
            return Ok(*s);
        }
        self.drain_capture();
        loop {
            match os::wait(Some(pid), true) {
                Ok(Some(e)) => {
                    self.note_end(e);
                    return Ok(e.status);
                }
                Ok(None) => {}
                Err(os::Errno::INTR) => {
                    self.collect_signals();
                    if let Some(sig) = self.trapped_pending() {
                        return Err(sig);
                    }
                }
                Err(_) => return Ok(127),
            }
        }
    }

    /// A pending signal that has a trap.
    pub(crate) fn trapped_pending(&self) -> Option<u32> {
        self.pending
            .iter()
            .copied()
            .find(|s| self.st.traps.get(s).is_some_and(|a| !a.is_empty()))
    }

    /// `%n`, `%%`, `%+`, `%-`, `%text`, `%?text`: the job's place in the table.
    pub(crate) fn find_job(&self, spec: &[u8]) -> Option<usize> {
        let jobs = &self.st.jobs;
        let s = spec.strip_prefix(b"%")?;
        match s {
            b"" | b"%" | b"+" => jobs.len().checked_sub(1),
            b"-" => jobs
                .len()
                .checked_sub(2)
                .or_else(|| jobs.len().checked_sub(1)),
            _ => {
                if let Some(n) = crate::strs::parse_int(s) {
                    return jobs.iter().position(|j| i64::from(j.id) == n);
                }
                if let Some(part) = s.strip_prefix(b"?") {
                    return jobs
                        .iter()
                        .position(|j| j.text.windows(part.len().max(1)).any(|w| w == part));
                }
                jobs.iter().position(|j| j.text.starts_with(s))
            }
        }
    }

    /// Removes a job.
    pub(crate) fn remove_job(&mut self, at: usize) {
        if let Some(name) = self.st.jobs.get(at).and_then(|j| j.coproc.clone()) {
            self.unset(&name);
            self.unset(&[name.as_slice(), b"_PID"].concat());
        }
        let jobs = Rc::make_mut(&mut self.st.jobs);
        if at < jobs.len() {
            jobs.remove(at);
        }
    }
}
