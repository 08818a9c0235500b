//! Keys, for the operator at the machine: beside a running server, without starting one.

use secrecy::{ExposeSecret, SecretString};

use crate::config::ServiceConfig;
use crate::error::{Result, ServiceError};
use crate::ids::{KeyId, TenantId};
use crate::keys;
use crate::store::Store;
use crate::types::{KeyView, Scope};

/// The API keys of a database. It takes no lock: a server may be running on it.
pub struct KeyAdmin {
    store: Store,
}

impl KeyAdmin {
    /// Connects, and brings the schema up to date if the configuration says so.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub async fn open(config: &ServiceConfig) -> Result<Self> {
        crate::sync::dir::make_private(&config.data_dir).map_err(|cause| {
            ServiceError::new(crate::ErrorKind::Config, "The data folder cannot be used.")
                .because(cause)
        })?;
        let store = Store::connect(config).await?;
        if config.database.migrate {
            store.migrate().await?;
        }
        Ok(Self { store })
    }

    /// Makes a key for a tenant, and the tenant if it is new. The key is shown here and kept
    /// nowhere.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn create(
        &self,
        tenant: &TenantId,
        scopes: &[Scope],
    ) -> Result<(KeyId, SecretString)> {
        self.store.ensure_tenant(tenant).await?;
        let id = KeyId::generate();
        let key = keys::random(keys::API_KEY).map_err(ServiceError::internal)?;
        let (hash, shown) = (
            keys::hash(key.expose_secret()),
            keys::shown(key.expose_secret()),
        );
        if self
            .store
            .insert_key(&id, tenant, &hash, &shown, scopes, false)
            .await?
        {
            return Ok((id, key));
        }
        Err(ServiceError::internal("a key was not written down"))
    }

    /// The keys of a tenant, or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, tenant: Option<&TenantId>) -> Result<Vec<KeyView>> {
        self.store.list_keys(tenant).await
    }

    /// Ends a key. False if there is none of this id that is alive.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke(&self, id: &KeyId) -> Result<bool> {
        let keys = self.store.list_keys(None).await?;
        match keys.iter().find(|key| key.id == *id) {
            Some(key) => self.store.revoke_key(&key.tenant, id).await,
            None => Ok(false),
        }
    }

    /// Lets the database go.
    pub async fn close(self) {
        self.store.close().await;
    }
}
