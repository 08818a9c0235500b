//! Tenants and API keys.

use sqlx::Row;

use super::Store;
use crate::error::{Result, ServiceError};
use crate::ids::{KeyId, TenantId};
use crate::time::now;
use crate::types::{KeyView, Principal, Scope};

impl Store {
    /// Whether there is any key at all.
    pub(crate) async fn has_keys(&self) -> Result<bool> {
        let count: i64 = sqlx::query_scalar("SELECT CAST(COUNT(*) AS BIGINT) FROM api_keys")
            .fetch_one(&self.write)
            .await?;
        Ok(count > 0)
    }

    /// Makes a tenant unless it exists.
    pub(crate) async fn ensure_tenant(&self, tenant: &TenantId) -> Result<()> {
        sqlx::query(
            "INSERT INTO tenants (id, name, created_at) VALUES ($1, $1, $2) ON CONFLICT (id) DO NOTHING",
        )
        .bind(tenant.as_str())
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Writes a key's hash down. With `first`, only if there is no key yet: of
    /// several replicas that start at once, one wins.
    pub(crate) async fn insert_key(
        &self,
        id: &KeyId,
        tenant: &TenantId,
        hash: &str,
        prefix: &str,
        scopes: &[Scope],
        first: bool,
    ) -> Result<bool> {
        let statement = if first {
            "INSERT INTO api_keys (id, tenant_id, hash, prefix, scopes, created_at) \
             SELECT $1, $2, $3, $4, $5, CAST($6 AS BIGINT) WHERE NOT EXISTS (SELECT 1 FROM api_keys)"
        } else {
            "INSERT INTO api_keys (id, tenant_id, hash, prefix, scopes, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6)"
        };
        let done = sqlx::query(statement)
            .bind(id.as_str())
            .bind(tenant.as_str())
            .bind(hash)
            .bind(prefix)
            .bind(serde_json::to_string(scopes)?)
            .bind(now())
            .execute(&self.write)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Who a key's hash stands for.
    pub(crate) async fn principal(&self, hash: &str) -> Result<Option<Principal>> {
        let row = sqlx::query(
            "SELECT k.id, k.tenant_id, k.scopes FROM api_keys k JOIN tenants t ON t.id = k.tenant_id \
             WHERE k.hash = $1 AND k.revoked_at IS NULL AND t.disabled = 0",
        )
        .bind(hash)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else { return Ok(None) };
        let parse = |text: String| ServiceError::internal(format!("bad id in api_keys: {text}"));
        let (key, tenant): (String, String) = (row.try_get("id")?, row.try_get("tenant_id")?);
        let scopes: String = row.try_get("scopes")?;
        Ok(Some(Principal {
            key_id: KeyId::parse(key.clone()).map_err(|_| parse(key))?,
            tenant: TenantId::parse(tenant.clone()).map_err(|_| parse(tenant))?,
            scopes: serde_json::from_str(&scopes)?,
        }))
    }

    /// Ends a key. False if the tenant has no such key.
    pub(crate) async fn revoke_key(&self, tenant: &TenantId, id: &KeyId) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE api_keys SET revoked_at = $3 WHERE id = $1 AND tenant_id = $2 AND revoked_at IS NULL",
        )
        .bind(id.as_str())
        .bind(tenant.as_str())
        .bind(now())
        .execute(&self.write)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// The keys of a tenant, or all: what may be shown of them.
    pub(crate) async fn list_keys(&self, tenant: Option<&TenantId>) -> Result<Vec<KeyView>> {
        let rows = sqlx::query(
            "SELECT id, tenant_id, prefix, scopes, created_at, revoked_at FROM api_keys \
             WHERE $1 = '' OR tenant_id = $1 ORDER BY tenant_id, created_at",
        )
        .bind(tenant.map_or("", TenantId::as_str))
        .fetch_all(&self.read)
        .await?;
        let parse = |_| ServiceError::internal("bad id in api_keys");
        rows.iter()
            .map(|row| {
                Ok(KeyView {
                    id: KeyId::parse(row.try_get::<String, _>("id")?).map_err(parse)?,
                    tenant: TenantId::parse(row.try_get::<String, _>("tenant_id")?)
                        .map_err(parse)?,
                    shown: row.try_get("prefix")?,
                    scopes: serde_json::from_str(&row.try_get::<String, _>("scopes")?)?,
                    created_at: row.try_get("created_at")?,
                    revoked_at: row.try_get("revoked_at")?,
                })
            })
            .collect()
    }
}
