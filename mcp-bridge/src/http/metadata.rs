//! OAuth 2.0 protected-resource metadata (RFC 9728): where a client gets a token.

use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

/// The prefix of the path that RFC 9728 gives the metadata.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

/// What a client may know of how to be authorised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceMetadata {
    /// The public URL of the MCP endpoint, for example `https://tools.example.com/mcp`.
    pub resource: String,
    /// Issuers whose tokens are accepted.
    pub authorization_servers: Vec<String>,
    /// Scopes that a token may have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes_supported: Vec<String>,
    /// Always the header.
    #[serde(default = "header")]
    pub bearer_methods_supported: Vec<String>,
    /// A name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_name: Option<String>,
    /// A page for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource_documentation: Option<String>,
}

fn header() -> Vec<String> {
    vec!["header".into()]
}

impl ResourceMetadata {
    /// The endpoint, with tokens from these issuers.
    pub fn new(resource: impl Into<String>, authorization_servers: Vec<String>) -> Self {
        ResourceMetadata {
            resource: resource.into(),
            authorization_servers,
            scopes_supported: Vec::new(),
            bearer_methods_supported: header(),
            resource_name: Some("hardshell".into()),
            resource_documentation: None,
        }
    }

    /// Where the metadata is: the well-known path before the resource's own.
    pub(super) fn url(&self) -> String {
        let (scheme, rest) = self
            .resource
            .split_once("://")
            .unwrap_or(("https", &self.resource));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let slash = if path.is_empty() { "" } else { "/" };
        format!("{scheme}://{authority}{WELL_KNOWN}{slash}{path}")
    }
}

/// Serves the metadata at the root's and at the endpoint's well-known path.
pub(super) fn router(metadata: ResourceMetadata) -> Router {
    let under_path = format!("{WELL_KNOWN}{}", super::PATH);
    let answer = move || {
        let metadata = metadata.clone();
        async move { Json(metadata) }
    };
    Router::new()
        .route(WELL_KNOWN, get(answer.clone()))
        .route(&under_path, get(answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_follows_the_resource() {
        for (resource, expected) in [
            (
                "https://a.example/mcp",
                "https://a.example/.well-known/oauth-protected-resource/mcp",
            ),
            (
                "http://127.0.0.1:80",
                "http://127.0.0.1:80/.well-known/oauth-protected-resource",
            ),
        ] {
            assert_eq!(ResourceMetadata::new(resource, Vec::new()).url(), expected);
        }
    }
}
