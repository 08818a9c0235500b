//! Whose a client session is: its random id is good only with the token it was made with.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use uuid::Uuid;

/// Client sessions by id, with the session that each belongs to.
pub(super) struct Bindings {
    manager: Arc<LocalSessionManager>,
    each_max: usize,
    owners: Mutex<HashMap<String, Uuid>>,
}

impl Bindings {
    pub(super) fn new(manager: Arc<LocalSessionManager>, each_max: usize) -> Self {
        Bindings {
            manager,
            each_max,
            owners: Mutex::default(),
        }
    }

    /// Whether `id` was made for `owner`.
    pub(super) fn owns(&self, owner: Uuid, id: &str) -> bool {
        self.owners.lock().get(id) == Some(&owner)
    }

    pub(super) fn bind(&self, id: String, owner: Uuid) {
        self.owners.lock().insert(id, owner);
    }

    pub(super) fn remove(&self, id: &str) {
        self.owners.lock().remove(id);
    }

    /// Whether `owner` may have one more. Forgets those that have ended.
    pub(super) async fn has_room(&self, owner: Uuid) -> bool {
        let count = |owners: &HashMap<String, Uuid>| {
            owners.values().filter(|other| **other == owner).count()
        };
        if count(&self.owners.lock()) < self.each_max {
            return true;
        }
        let live = self.manager.sessions.read().await;
        let mut owners = self.owners.lock();
        owners.retain(|id, _| live.contains_key(id.as_str()));
        count(&owners) < self.each_max
    }
}
