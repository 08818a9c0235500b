//! The workspace's files as resources, `workspace:///path`, and prompts for common jobs.

pub(crate) mod notices;
pub(crate) mod prompts;
mod uri;

use rmcp::ErrorData as McpError;
use rmcp::model::{
    CacheScope, CompleteRequestParams, CompleteResult, CompletionInfo, ListResourcesResult,
    ReadResourceResult, Reference, Resource, ResourceContents, ResourceTemplate,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use crate::session::{CallContext, Session};
use crate::tools::files;

pub(crate) use uri::{path_of, uri_of};

/// Resources on one page of the list.
const PAGE: u64 = 200;
/// The folder that resources are in.
const ROOT: &str = "/workspace";
/// The template of all of them.
const TEMPLATE: &str = "workspace:///{+path}";

#[derive(Deserialize)]
struct Listing {
    entries: Vec<Entry>,
    next: Option<u64>,
}

#[derive(Deserialize)]
struct Entry {
    path: String,
    size: u64,
    mime: String,
}

#[derive(Deserialize)]
struct Fetched {
    mime: String,
    text: Option<String>,
    blob: Option<String>,
}

#[derive(Deserialize)]
struct Completion {
    values: Vec<String>,
    total: u32,
}

/// A page of the workspace's files.
pub(crate) async fn list(
    session: &Session,
    cursor: Option<String>,
) -> Result<ListResourcesResult, McpError> {
    let offset: u64 = match cursor {
        None => 0,
        Some(cursor) => cursor
            .parse()
            .map_err(|_| McpError::invalid_params("the cursor is not one of ours", None))?,
    };
    let args = json!({ "path": ROOT, "offset": offset, "limit": PAGE });
    let listing: Listing = ask(session, "List", &args, CancellationToken::new()).await?;
    let resources = listing
        .entries
        .into_iter()
        .map(|entry| {
            let name = entry.path.rsplit('/').next().unwrap_or_default().to_owned();
            Resource::new(uri_of(&entry.path), name)
                .with_mime_type(entry.mime)
                .with_size(entry.size)
        })
        .collect();
    let mut result = ListResourcesResult::with_all_items(resources)
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private);
    result.next_cursor = listing.next.map(|next| next.to_string());
    Ok(result)
}

/// One template stands for every file.
pub(crate) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new(TEMPLATE, "workspace-file")
            .with_title("A file of the workspace")
            .with_description("The content of a file below /workspace, by its path relative to it"),
    ]
}

/// The content of one file.
pub(crate) async fn read(
    session: &Session,
    uri: &str,
    cancel: &CancellationToken,
) -> Result<ReadResourceResult, McpError> {
    let missing =
        || McpError::resource_not_found("Resource not found", Some(json!({ "uri": uri })));
    let path = path_of(uri).ok_or_else(missing)?;
    let fetched: Fetched = ask(session, "Fetch", &json!({ "path": path }), cancel.clone())
        .await
        .map_err(|error| {
            if error.message.contains("File does not exist") {
                missing()
            } else {
                error
            }
        })?;
    let contents = match (fetched.text, fetched.blob) {
        (Some(text), _) => ResourceContents::text(text, uri).with_mime_type(fetched.mime),
        (None, blob) => {
            ResourceContents::blob(blob.unwrap_or_default(), uri).with_mime_type(fetched.mime)
        }
    };
    Ok(ReadResourceResult::new(vec![contents])
        .with_ttl_ms(0)
        .with_cache_scope(CacheScope::Private))
}

/// Paths that begin with what was typed.
pub(crate) async fn complete(
    session: &Session,
    request: &CompleteRequestParams,
) -> Result<CompleteResult, McpError> {
    let invalid = |text: &str| McpError::invalid_params(text.to_owned(), None);
    match &request.r#ref {
        Reference::Resource(template) if template.uri == TEMPLATE => {
            if request.argument.name != "path" {
                return Err(invalid("the template has one argument: path"));
            }
        }
        Reference::Resource(_) => return Err(invalid("unknown resource template")),
        Reference::Prompt(prompt) => {
            if !prompts::completes_paths(&prompt.name, &request.argument.name)
                .ok_or_else(|| invalid("unknown prompt or argument"))?
            {
                return Ok(CompleteResult::default());
            }
        }
        _ => return Err(invalid("unknown kind of reference")),
    }
    let args = json!({ "root": ROOT, "path": request.argument.value });
    let found: Completion = ask(session, "Complete", &args, CancellationToken::new()).await?;
    let more = found.total as usize > found.values.len();
    let info = CompletionInfo::with_pagination(found.values, Some(found.total), more)
        .map_err(|error| McpError::internal_error(error, None))?;
    Ok(CompleteResult::new(info))
}

/// Asks the files module, which runs in the sandbox.
async fn ask<T: for<'de> Deserialize<'de>>(
    session: &Session,
    tool: &str,
    args: &Value,
    cancel: CancellationToken,
) -> Result<T, McpError> {
    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        content: Vec<Value>,
        is_error: bool,
        structured: Option<Value>,
    }
    let context = CallContext {
        cancel,
        ..CallContext::default()
    };
    let request = json!({ "args": args });
    let internal = |error: String| McpError::internal_error(error, None);
    let (stdout, _) = match files::module(session.sandbox(), tool, &request, &context).await {
        Ok(done) => done,
        Err(error) => {
            let outcome = files::failed(tool, error);
            let text = outcome
                .content
                .first()
                .and_then(|block| block.as_text())
                .map(|text| text.text.clone());
            return Err(internal(text.unwrap_or_default()));
        }
    };
    let answer: Answer =
        serde_json::from_slice(&stdout).map_err(|error| internal(error.to_string()))?;
    if answer.is_error {
        let text = answer
            .content
            .first()
            .and_then(|block| block.get("text"))
            .and_then(Value::as_str);
        return Err(McpError::invalid_params(
            text.unwrap_or_default().to_owned(),
            None,
        ));
    }
    serde_json::from_value(answer.structured.unwrap_or_default())
        .map_err(|error| internal(error.to_string()))
}
