//! Notices of change: tools that come and go, files that a call has touched.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

use futures::StreamExt;
use futures::stream::{SelectAll, select_all};
use hardshell_host::{Change, ChangeKind};
use parking_lot::Mutex;
use rmcp::model::ResourceUpdatedNotificationParam;
use rmcp::service::{Peer, RoleServer, SubscriptionContext};
use tokio::sync::{broadcast, watch};
use tokio_stream::wrappers::WatchStream;

use super::uri_of;
use crate::session::Session;

/// Resources that one connection may subscribe to.
pub(crate) const SUBSCRIPTIONS_MAX: usize = 1000;

/// What one call changed.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// URIs of the files whose content changed.
    pub(crate) updated: Arc<BTreeSet<String>>,
    /// Whether files came or went.
    pub(crate) list: bool,
}

/// Tells a session's listeners what a call has changed.
pub(crate) fn changed(session: &Session, changes: &[Change]) {
    if changes.is_empty() {
        return;
    }
    let mut updated = BTreeSet::new();
    let mut list = false;
    for change in changes {
        // Other mounts have no resources; their paths are absolute.
        if change.path.starts_with('/') || change.path.contains('\\') {
            continue;
        }
        updated.insert(uri_of(&change.path));
        list |= !matches!(change.kind, ChangeKind::Modified | ChangeKind::Mode);
    }
    session.announce(Notice {
        updated: Arc::new(updated),
        list,
    });
}

/// The next thing to tell.
enum Next {
    Tools,
    Files(Notice),
    /// So much happened that some of it was missed.
    Missed,
    End,
}

struct Source {
    notices: broadcast::Receiver<Notice>,
    tools: SelectAll<WatchStream<u64>>,
}

impl Source {
    fn new(notices: broadcast::Receiver<Notice>, tools: Vec<watch::Receiver<u64>>) -> Self {
        Source {
            notices,
            tools: select_all(tools.into_iter().map(WatchStream::from_changes)),
        }
    }

    async fn next(&mut self) -> Next {
        tokio::select! {
            Some(_) = self.tools.next() => Next::Tools,
            notice = self.notices.recv() => match notice {
                Ok(notice) => Next::Files(notice),
                Err(broadcast::error::RecvError::Lagged(_)) => Next::Missed,
                Err(broadcast::error::RecvError::Closed) => Next::End,
            },
        }
    }
}

/// Forwards notices to a client of the revision that subscribes by request.
pub(crate) async fn forward(
    session: Weak<Session>,
    notices: broadcast::Receiver<Notice>,
    tools: Vec<watch::Receiver<u64>>,
    peer: Peer<RoleServer>,
    subscribed: Arc<Mutex<BTreeSet<String>>>,
) {
    let mut source = Source::new(notices, tools);
    loop {
        let sent = match source.next().await {
            Next::Tools => peer.notify_tool_list_changed().await,
            Next::Missed => peer.notify_resource_list_changed().await,
            Next::End => return,
            Next::Files(notice) => {
                let wanted: Vec<String> = {
                    let subscribed = subscribed.lock();
                    notice
                        .updated
                        .iter()
                        .filter(|uri| subscribed.contains(*uri))
                        .cloned()
                        .collect()
                };
                let mut sent = Ok(());
                for uri in wanted {
                    sent = sent.and(
                        peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri))
                            .await,
                    );
                }
                if notice.list {
                    sent = sent.and(peer.notify_resource_list_changed().await);
                }
                sent
            }
        };
        if sent.is_err() || session.strong_count() == 0 {
            return;
        }
    }
}

/// Serves one subscription of the current revision until it ends.
pub(crate) async fn listen(session: &Session, context: &SubscriptionContext) {
    let sink = context.sink();
    let accepted = context.accepted();
    let subscribed: BTreeSet<&str> = accepted
        .resource_subscriptions
        .iter()
        .flatten()
        .map(String::as_str)
        .collect();
    let mut source = Source::new(session.notices(), session.watch_tools());
    loop {
        let next = tokio::select! {
            next = source.next() => next,
            () = context.cancelled() => return,
        };
        let sent = match next {
            Next::Tools if accepted.tools_list_changed == Some(true) => {
                sink.notify_tool_list_changed().await
            }
            Next::Missed if accepted.resources_list_changed == Some(true) => {
                sink.notify_resource_list_changed().await
            }
            Next::Tools | Next::Missed => Ok(()),
            Next::End => return,
            Next::Files(notice) => {
                let mut sent = Ok(());
                for uri in notice
                    .updated
                    .iter()
                    .filter(|uri| subscribed.contains(uri.as_str()))
                {
                    sent = sent.and(sink.notify_resource_updated(uri.clone()).await);
                }
                if notice.list && accepted.resources_list_changed == Some(true) {
                    sent = sent.and(sink.notify_resource_list_changed().await);
                }
                sent
            }
        };
        if sent.is_err() {
            return;
        }
    }
}
