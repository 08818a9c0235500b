//! A folder of tools: each `.wasm` file is a shell command, and an MCP tool if it has a
//! manifest. The folder is looked at again and again, so that a new tool is there at once.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arc_swap::ArcSwap;
use hardshell_host::{ModuleSource, Registry, RegistrySnapshot};
use jsonschema::Validator;
use parking_lot::Mutex;
use rmcp::model::{JsonObject, Tool, ToolAnnotations};
use serde_json::Value;
use tokio::sync::watch;

use super::manifest::{Manifest, OutputMode, SECTION, WorkspaceAccess};
use super::policy::{Grant, Policy};
use super::{ToolProvider, run, schema};
use crate::outcome::ToolOutcome;
use crate::session::{CallContext, Session};

/// Between two looks at the folder.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Tools that a folder may hold.
const TOOLS_MAX: usize = 1000;
/// Names that no module of a folder may take.
const RESERVED: &[&str] = &["sh", "bash", "files"];

/// A tool that is served.
pub(super) struct Loaded {
    pub(super) manifest: Manifest,
    pub(super) grant: Grant,
    pub(super) validator: Validator,
    pub(super) output_validator: Option<Validator>,
    listed: Tool,
}

/// A file of the folder that is not served as a tool, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejected {
    /// The file's name.
    pub file: String,
    /// Why, for the operator.
    pub reason: String,
}

/// What one look at the folder found.
#[derive(Default)]
struct State {
    tools: BTreeMap<String, Arc<Loaded>>,
    commands: BTreeSet<String>,
    rejected: Vec<Rejected>,
}

/// A file as it was when it was last looked at.
type Seen = BTreeMap<PathBuf, (u64, Option<SystemTime>)>;

/// A folder of tools.
pub struct ToolFolder {
    directory: PathBuf,
    policy: Policy,
    registry: Registry,
    /// The commands that come with the program.
    base: Arc<RegistrySnapshot>,
    state: ArcSwap<State>,
    seen: Mutex<Seen>,
    version: watch::Sender<u64>,
}

impl ToolFolder {
    /// Reads the folder and adds its commands to the registry. What may not be served is
    /// left out and listed by [`ToolFolder::rejected`].
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(
        directory: &Path,
        policy: Policy,
        registry: &Registry,
    ) -> std::io::Result<Arc<ToolFolder>> {
        let folder = ToolFolder {
            directory: directory.to_owned(),
            policy,
            registry: registry.clone(),
            base: registry.snapshot(),
            state: ArcSwap::from_pointee(State::default()),
            seen: Mutex::default(),
            version: watch::Sender::new(0),
        };
        let seen = folder.look()?;
        folder.load(&seen);
        *folder.seen.lock() = seen;
        Ok(Arc::new(folder))
    }

    /// Looks at the folder every half second as long as it is used, and takes up what has
    /// changed.
    pub fn watch(self: &Arc<Self>) {
        let folder = Arc::downgrade(self);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                let Some(folder) = folder.upgrade() else {
                    return;
                };
                // Reading files blocks.
                let looked = tokio::task::spawn_blocking(move || folder.refresh()).await;
                if let Ok(Err(error)) = looked {
                    tracing::warn!(%error, "the tools folder cannot be read");
                }
            }
        });
    }

    /// Looks at the folder once. True if anything has changed.
    ///
    /// # Errors
    /// When the folder cannot be read; what was there stays.
    pub fn refresh(&self) -> std::io::Result<bool> {
        let seen = self.look()?;
        if *self.seen.lock() == seen {
            return Ok(false);
        }
        self.load(&seen);
        *self.seen.lock() = seen;
        self.version
            .send_modify(|version| *version = version.wrapping_add(1));
        Ok(true)
    }

    /// What is in the folder and is not served, with the reasons.
    pub fn rejected(&self) -> Vec<Rejected> {
        self.state.load().rejected.clone()
    }

    /// The commands that the folder adds.
    pub fn commands(&self) -> BTreeSet<String> {
        self.state.load().commands.clone()
    }

    /// The modules and manifests, with size and time.
    #[allow(
        clippy::disallowed_methods,
        reason = "the operator's folder, not a tenant's"
    )]
    fn look(&self) -> std::io::Result<Seen> {
        let mut seen = Seen::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let entry = entry?;
            let path = entry.path();
            let known = path.extension().is_some_and(|extension| {
                extension == "wasm" || extension == "toml" || extension == "json"
            });
            let metadata = std::fs::metadata(&path);
            if let (true, Ok(metadata)) = (known, metadata)
                && metadata.is_file()
            {
                seen.insert(path, (metadata.len(), metadata.modified().ok()));
            }
        }
        Ok(seen)
    }

    fn load(&self, seen: &Seen) {
        let mut state = State::default();
        let mut builder = Registry::builder(self.registry.engine());
        for program in self.base.programs() {
            builder = builder.program(program);
        }
        for path in seen.keys().filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "wasm")
        }) {
            let file = path
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            match self.module(path, &state) {
                Ok((command, bytes, tool)) => {
                    let description = tool
                        .as_ref()
                        .map(|tool| tool.manifest.description.clone())
                        .unwrap_or_default();
                    let line = description.lines().next().unwrap_or_default();
                    builder =
                        builder.described_module(ModuleSource::Bytes(bytes), &[&command], line);
                    state.commands.insert(command.clone());
                    if let Some(tool) = tool {
                        state.tools.insert(command, Arc::new(tool));
                    }
                }
                Err(reason) => {
                    tracing::warn!(file, reason, "a tool is not served");
                    state.rejected.push(Rejected { file, reason });
                }
            }
        }
        match builder.snapshot() {
            Ok(snapshot) => {
                self.registry.replace(snapshot);
                self.state.store(Arc::new(state));
            }
            Err(error) => tracing::error!(%error, "the tools folder could not be taken up"),
        }
    }

    /// One module: its command name, its bytes, and the tool if it is one.
    #[allow(
        clippy::disallowed_methods,
        reason = "the operator's folder, not a tenant's"
    )]
    fn module(
        &self,
        path: &Path,
        state: &State,
    ) -> Result<(String, Vec<u8>, Option<Loaded>), String> {
        if state.commands.len() >= TOOLS_MAX {
            return Err(format!("the folder holds more than {TOOLS_MAX} modules"));
        }
        let stem = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default();
        let size = std::fs::metadata(path)
            .map_err(|error| error.to_string())?
            .len();
        if size > self.policy.max_module_bytes {
            return Err(format!(
                "it has {size} bytes, at most {} are allowed",
                self.policy.max_module_bytes
            ));
        }
        let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
        let manifest = find_manifest(path, &bytes)?;
        let command = manifest
            .as_ref()
            .map_or(stem, |manifest| manifest.name.clone());
        let taken = self.base.program(&command).is_some() || RESERVED.contains(&command.as_str());
        if taken || state.commands.contains(&command) {
            return Err(format!("the name {command:?} is taken"));
        }
        if crate::tools::BuiltIn::named(&command).is_some() {
            return Err(format!("{command:?} is the name of a built-in tool"));
        }
        let digest = blake3::hash(&bytes).to_hex().to_string();
        let tool = match manifest {
            None if self.policy.require_digest => match &self.policy.ceiling(&command).digest {
                Some(pinned) if pinned.eq_ignore_ascii_case(&digest) => None,
                _ => return Err("no digest is pinned for it".into()),
            },
            None => None,
            Some(manifest) => {
                let grant = self
                    .policy
                    .grant(&manifest, &digest, size)
                    .map_err(|refusal| refusal.to_string())?;
                Some(loaded(manifest, grant)?)
            }
        };
        Ok((command, bytes, tool))
    }
}

/// The manifest of a module: the file beside it, else the section in it.
///
/// # Errors
/// When there is one and it is not valid.
#[allow(
    clippy::disallowed_methods,
    reason = "the operator's folder, not a tenant's"
)]
pub fn find_manifest(module: &Path, bytes: &[u8]) -> Result<Option<Manifest>, String> {
    let directory = module.parent().unwrap_or(Path::new("."));
    let read = |name: &str| {
        std::fs::read(directory.join(name)).map_err(|error| format!("{name}: {error}"))
    };
    let beside = module.with_extension("toml");
    let text = match std::fs::read(&beside) {
        Ok(text) => Some(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            crate::toolkit::wasm::custom_section(bytes, SECTION)
                .map_err(|error| error.to_string())?
        }
        Err(error) => return Err(format!("{}: {error}", beside.display())),
    };
    text.map(|text| Manifest::parse(&text, &read).map_err(|error| error.to_string()))
        .transpose()
}

fn loaded(manifest: Manifest, grant: Grant) -> Result<Loaded, String> {
    let object = |value: &Value| value.as_object().cloned().unwrap_or_default();
    let input = manifest.input_schema.clone().unwrap_or_default();
    let validator = schema::compile(&input)?;
    let output_validator = manifest
        .output_schema
        .as_ref()
        .map(schema::compile)
        .transpose()?;
    let read_only = grant.capabilities.workspace < WorkspaceAccess::ReadWrite;
    let mut listed = Tool::new(
        manifest.name.clone(),
        manifest.description.clone(),
        Arc::new(object(&input)),
    );
    let title = manifest
        .title
        .clone()
        .unwrap_or_else(|| manifest.name.clone());
    listed = listed
        .with_title(title.clone())
        .with_annotations(ToolAnnotations::from_raw(
            Some(title),
            Some(read_only),
            Some(!read_only),
            Some(false),
            Some(false),
        ));
    if let (OutputMode::Json, Some(output)) = (manifest.output, &manifest.output_schema) {
        listed = listed.with_raw_output_schema(Arc::new(object(output)));
    }
    Ok(Loaded {
        manifest,
        grant,
        validator,
        output_validator,
        listed,
    })
}

#[async_trait::async_trait]
impl ToolProvider for ToolFolder {
    fn tools(&self) -> Vec<Tool> {
        self.state
            .load()
            .tools
            .values()
            .map(|tool| tool.listed.clone())
            .collect()
    }

    async fn call(
        &self,
        session: &Session,
        name: &str,
        arguments: JsonObject,
        context: &CallContext,
    ) -> Option<ToolOutcome> {
        let tool = self.state.load().tools.get(name).cloned()?;
        Some(run::run(session, &tool, arguments, context).await)
    }

    fn changed(&self) -> Option<watch::Receiver<u64>> {
        Some(self.version.subscribe())
    }
}
