//! The thread that starts children.
//!
//! The kernel's "death with the parent" means the thread that started the child. A
//! runtime's threads may end; this one does not.

use std::io;
use std::sync::OnceLock;
use std::sync::mpsc::{Sender, channel};

use tokio::process::{Child, Command};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

struct Job {
    command: Command,
    runtime: Handle,
    done: oneshot::Sender<io::Result<Child>>,
}

static THREAD: OnceLock<Sender<Job>> = OnceLock::new();

fn thread() -> Sender<Job> {
    THREAD
        .get_or_init(|| {
            let (jobs, queue) = channel::<Job>();
            let work = move || {
                for mut job in queue {
                    let _runtime = job.runtime.enter();
                    // Whoever asked may be gone; the child then dies with the answer.
                    let _ = job.done.send(job.command.spawn());
                }
            };
            if let Err(error) = std::thread::Builder::new()
                .name("agent-spawner".into())
                .spawn(work)
            {
                tracing::error!(%error, "the thread that starts agents could not be made");
            }
            jobs
        })
        .clone()
}

/// Starts a command from the thread that lives as long as the process.
pub(super) async fn spawn(command: Command) -> io::Result<Child> {
    let (done, answer) = oneshot::channel();
    let job = Job {
        command,
        runtime: Handle::current(),
        done,
    };
    thread()
        .send(job)
        .map_err(|_| io::Error::other("no thread that starts agents"))?;
    answer
        .await
        .map_err(|_| io::Error::other("no thread that starts agents"))?
}
