//! Objects in S3, or in a server that speaks it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{
    ClientOptions, Error, ObjectStore, ObjectStoreExt, PutMode, PutOptions, RetryConfig,
    UpdateVersion, WriteMultipart,
};
use secrecy::ExposeSecret;

use super::{ByteStream, Condition, Object, Objects, Put, unreachable_store};
use crate::config::S3Config;
use crate::error::{ErrorKind, Result, ServiceError};

/// Objects in a bucket.
pub(crate) struct S3Objects {
    store: Arc<AmazonS3>,
    prefix: String,
}

impl S3Objects {
    /// Sets the client up; nothing is sent yet.
    pub(crate) fn open(config: &S3Config) -> Result<Self> {
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(&config.bucket)
            .with_region(&config.region)
            .with_retry(RetryConfig {
                max_retries: 4,
                retry_timeout: Duration::from_secs(30),
                ..RetryConfig::default()
            })
            .with_client_options(
                ClientOptions::new()
                    .with_allow_http(config.allow_http)
                    .with_connect_timeout(Duration::from_secs(5))
                    .with_timeout(Duration::from_secs(120))
                    .with_pool_max_idle_per_host(64),
            );
        if let Some(endpoint) = &config.endpoint {
            builder = builder
                .with_endpoint(endpoint)
                .with_virtual_hosted_style_request(false);
        }
        if let Some(id) = &config.access_key_id {
            builder = builder.with_access_key_id(id);
        }
        if let Some(secret) = &config.secret_access_key {
            builder = builder.with_secret_access_key(secret.expose_secret());
        }
        if let Some(token) = &config.session_token {
            builder = builder.with_token(token.expose_secret());
        }
        let store = builder.build().map_err(|cause| {
            ServiceError::new(
                ErrorKind::Config,
                "The object store's settings do not work.",
            )
            .because(cause)
        })?;
        let prefix = config.prefix.as_deref().unwrap_or("").trim_matches('/');
        let prefix = if prefix.is_empty() {
            String::new()
        } else {
            format!("{prefix}/")
        };
        Ok(Self {
            store: Arc::new(store),
            prefix,
        })
    }

    fn path(&self, key: &str) -> Result<Path> {
        Path::parse(format!("{}{key}", self.prefix)).map_err(ServiceError::internal)
    }
}

fn version(etag: Option<String>) -> Result<String> {
    etag.ok_or_else(|| {
        unreachable_store("the object store names no version (ETag) of what it keeps")
    })
}

#[async_trait]
impl Objects for S3Objects {
    async fn get(&self, key: &str) -> Result<Option<Object>> {
        let got = match self.store.get(&self.path(key)?).await {
            Ok(got) => got,
            Err(Error::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(unreachable_store(error)),
        };
        let etag = version(got.meta.e_tag.clone())?;
        let size = got.meta.size;
        let bytes = got.into_stream().map_err(std::io::Error::other);
        Ok(Some(Object {
            etag,
            size,
            bytes: Box::pin(bytes),
        }))
    }

    async fn put(&self, key: &str, bytes: Bytes, condition: Condition) -> Result<Put> {
        let mode = match condition {
            Condition::Any => PutMode::Overwrite,
            Condition::Absent => PutMode::Create,
            Condition::Matches(etag) => PutMode::Update(UpdateVersion {
                e_tag: Some(etag),
                version: None,
            }),
        };
        let options = PutOptions {
            mode,
            ..PutOptions::default()
        };
        match self
            .store
            .put_opts(&self.path(key)?, bytes.into(), options)
            .await
        {
            Ok(done) => Ok(Put::Done(version(done.e_tag)?)),
            Err(
                Error::AlreadyExists { .. }
                | Error::Precondition { .. }
                | Error::NotModified { .. },
            ) => Ok(Put::Conflict),
            Err(error) => Err(unreachable_store(error)),
        }
    }

    async fn put_stream(
        &self,
        key: &str,
        mut bytes: ByteStream,
        part: usize,
    ) -> Result<(String, u64)> {
        let upload = self
            .store
            .put_multipart(&self.path(key)?)
            .await
            .map_err(unreachable_store)?;
        // S3 takes no part below 5 MiB but the last.
        let mut writer = WriteMultipart::new_with_chunk_size(upload, part.max(5 << 20));
        let mut size: u64 = 0;
        while let Some(next) = bytes.next().await {
            let step = async {
                let next = next.map_err(unreachable_store)?;
                // One part on its way and one being filled: that is the memory it takes.
                writer
                    .wait_for_capacity(1)
                    .await
                    .map_err(unreachable_store)?;
                size = size.saturating_add(next.len() as u64);
                writer.put(next);
                Ok(())
            };
            if let Err(error) = step.await {
                let _ = writer.abort().await;
                return Err(error);
            }
        }
        let done = writer.finish().await.map_err(unreachable_store)?;
        Ok((version(done.e_tag)?, size))
    }

    async fn delete(&self, keys: &[String]) -> Result<()> {
        let paths = keys
            .iter()
            .map(|key| self.path(key))
            .collect::<Result<Vec<_>>>()?;
        let paths = futures::stream::iter(paths.into_iter().map(Ok)).boxed();
        let mut results = self.store.delete_stream(paths);
        while let Some(result) = results.next().await {
            match result {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(unreachable_store(error)),
            }
        }
        Ok(())
    }

    async fn delete_prefix(&self, prefix: &str) -> Result<()> {
        let path = self.path(prefix.trim_end_matches('/'))?;
        let paths = self
            .store
            .list(Some(&path))
            .map_ok(|meta| meta.location)
            .boxed();
        let mut results = self.store.delete_stream(paths);
        while let Some(result) = results.next().await {
            match result {
                Ok(_) | Err(Error::NotFound { .. }) => {}
                Err(error) => return Err(unreachable_store(error)),
            }
        }
        Ok(())
    }

    async fn ping(&self) -> Result<()> {
        match self.store.head(&self.path("ready")?).await {
            Ok(_) | Err(Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(unreachable_store(error)),
        }
    }
}
