//! A service on a stack, with a scripted model and the loopback server around it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use hardshell_host::{Engine, EngineConfig, Registry};
use hardshell_scripted_model::{Handle, Script, ScriptedModel};
use hardshell_service::config::ServiceConfig;
use hardshell_service::{
    ConversationId, ExecuteRequest, ExecutionId, FileView, Principal, Result, Service, Started,
    StoredEvent,
};
use secrecy::SecretString;
use serde_json::{Value, json};

use crate::inner;
use crate::stacks::Stack;

/// The agent's executable.
pub fn agent_cli() -> PathBuf {
    let path = match std::env::var_os("HARDSHELL_AGENT_CLI") {
        Some(path) => PathBuf::from(path),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join("../.local/agent/node_modules/@anthropic-ai/claude-agent-sdk-linux-x64/claude"),
    };
    assert!(
        path.exists(),
        "the agent is not installed: run `cargo xtask setup` (looked at {})",
        path.display()
    );
    path
}

pub struct World {
    pub service: Arc<Service>,
    pub principal: Principal,
    pub model: Handle,
    pub config: ServiceConfig,
    pub stack: Arc<Stack>,
}

pub fn registry() -> Registry {
    static ENGINE: std::sync::OnceLock<Engine> = std::sync::OnceLock::new();
    let engine = ENGINE.get_or_init(|| Engine::new(EngineConfig::default()).unwrap());
    Registry::builder(engine).build().unwrap()
}

/// A turn that calls one tool.
pub fn call(name: &str, input: Value) -> Value {
    json!({ "content": [{ "type": "tool_use", "name": name, "input": input }] })
}

/// A turn that only says something.
pub fn say(text: &str) -> Value {
    json!({ "content": [{ "type": "text", "text": text }] })
}

pub fn script(turns: &[Value]) -> Script {
    let script = json!({ "tool_prefix": "mcp__hardshell__", "turns": turns });
    Script::from_json(&script.to_string()).unwrap()
}

impl World {
    pub async fn new(stack: &Arc<Stack>, turns: &[Value]) -> Self {
        Self::with(stack, script(turns), |_| {}, None).await
    }

    pub async fn with(
        stack: &Arc<Stack>,
        script: Script,
        change: impl FnOnce(&mut ServiceConfig),
        broken_mcp: Option<u16>,
    ) -> Self {
        log();
        let model = ScriptedModel::start(script).unwrap();
        let mut config = stack.config();
        config.model.base_url = model.base_url();
        config.model.api_key = Some(SecretString::from("sk-the-real-key"));
        config.model.retries = 1;
        // The tools of these tests write past the sandbox.
        config.sync.trust_journal = false;
        config.agent.cli = Some(agent_cli());
        config.agent.launcher = Some(vec![
            env!("CARGO_BIN_EXE_hardshell-agent-launch").into(),
            hardshell_service::agent::launch::LAUNCH_ARGUMENT.into(),
        ]);
        // Users count their processes: tests at the same time must not share any.
        static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
        let next = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        config.agent.uid_base = 1_000_000_000 + (std::process::id() % 50_000) * 20_000 + next * 200;
        change(&mut config);
        let (service, principal) = open(&config, broken_mcp).await;
        Self {
            service,
            principal,
            model,
            config,
            stack: Arc::clone(stack),
        }
    }

    /// The same service after a stop: as another process would open it.
    pub async fn reopen(&mut self) {
        self.service.drain().await;
        let (service, _) = open(&self.config, None).await;
        self.service = service;
    }

    pub async fn start(
        &self,
        conversation: Option<&ConversationId>,
        text: &str,
    ) -> Result<Started> {
        let request = ExecuteRequest {
            conversation: conversation.cloned(),
            ..ExecuteRequest::text(text)
        };
        self.service.execute(&self.principal, request, None).await
    }

    /// Another server on the same stack.
    pub async fn second(&self) -> Self {
        let mut config = self.config.clone();
        let second = self.stack.second_config();
        config.data_dir = second.data_dir;
        config.agent.run_dir = second.agent.run_dir;
        config.agent.uid_base += 100;
        let (service, principal) = open(&config, None).await;
        let model = ScriptedModel::start(script(&[say("not asked")])).unwrap();
        Self {
            service,
            principal,
            model,
            config,
            stack: Arc::clone(&self.stack),
        }
    }

    /// All events of a run after `after`, until its end.
    pub async fn events(&self, id: &ExecutionId, after: u64) -> Vec<StoredEvent> {
        let stream = self
            .service
            .events(&self.principal, id, after)
            .await
            .unwrap();
        tokio::time::timeout(Duration::from_secs(60), stream.collect())
            .await
            .expect("the run does not end")
    }

    pub async fn turn(&self, conversation: Option<&ConversationId>, text: &str) -> Turn {
        let started = self.start(conversation, text).await.unwrap();
        let events = self.events(&started.execution, 0).await;
        Turn { started, events }
    }

    /// What the store holds of a file.
    pub async fn stored(&self, conversation: &ConversationId, path: &str) -> Option<String> {
        let mut content = self
            .service
            .open_file(&self.principal, conversation, path)
            .await
            .ok()?;
        let mut all = Vec::new();
        while let Some(part) = content.bytes.next().await {
            all.extend_from_slice(&part.unwrap());
        }
        Some(String::from_utf8_lossy(&all).into_owned())
    }

    pub async fn files(&self, conversation: &ConversationId) -> Vec<FileView> {
        self.service
            .files(&self.principal, conversation)
            .await
            .unwrap()
    }

    /// What must hold after every run, however it ended.
    pub async fn check_rest(&self, turn: &Turn) {
        turn.check_numbers();
        wait_for(|| self.service.runs_alive() == 0).await;
        let view = self
            .service
            .execution(&self.principal, &turn.started.execution)
            .await
            .unwrap();
        assert!(view.state.is_final(), "{view:?}");
        assert_eq!(json!(view.state), turn.done()["state"]);
        let home = self
            .config
            .data_dir
            .join("work")
            .join(turn.started.conversation.as_str());
        assert!(!home.exists(), "the local folder is left");
        let agent = self.config.agent.run_dir.clone().unwrap();
        assert_eq!(
            std::fs::read_dir(agent).unwrap().count(),
            0,
            "the agent's folders are left"
        );
        // The lease is released: the conversation can be taken at once.
        let put = self.put(&turn.started.conversation, "after.txt", "x").await;
        put.expect("the conversation is still locked");
        self.service
            .delete_file(&self.principal, &turn.started.conversation, "after.txt")
            .await
            .unwrap();
    }

    pub async fn put(
        &self,
        conversation: &ConversationId,
        path: &str,
        text: &str,
    ) -> Result<FileView> {
        let bytes = futures::stream::iter([Ok(bytes::Bytes::from(text.to_owned()))]);
        let upload = hardshell_service::FileUpload {
            bytes: Box::pin(bytes),
            size: Some(text.len() as u64),
        };
        self.service
            .put_file(&self.principal, conversation, path, upload)
            .await
    }
}

async fn open(config: &ServiceConfig, broken_mcp: Option<u16>) -> (Arc<Service>, Principal) {
    let service = Service::open(config.clone(), registry()).await.unwrap();
    let url = inner::serve(&service, config.data_dir.clone(), broken_mcp).await;
    service.set_inner_url(&url);
    let tenant = hardshell_service::TenantId::parse("default").unwrap();
    let key = match service.take_first_key() {
        Some(first) => first.key,
        None => service
            .create_key(&tenant, &[hardshell_service::Scope::Admin])
            .await
            .unwrap(),
    };
    let principal = service.authenticate(&key).await.unwrap();
    (service, principal)
}

/// `RUST_LOG` shows what the service says.
fn log() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_test_writer()
        .try_init();
}

pub async fn wait_for(mut holds: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it did not come to hold within 10 s");
}

#[derive(Debug)]
pub struct Turn {
    pub started: Started,
    pub events: Vec<StoredEvent>,
}

impl Turn {
    pub fn kinds(&self) -> Vec<&str> {
        self.events
            .iter()
            .map(|event| event.kind.as_str())
            .filter(|kind| !kind.ends_with("_delta"))
            .collect()
    }

    pub fn of(&self, kind: &str) -> Vec<&Value> {
        self.events
            .iter()
            .filter(|event| event.kind == kind)
            .map(|event| &event.data)
            .collect()
    }

    pub fn done(&self) -> &Value {
        let last = self.events.last().expect("no events");
        assert_eq!(last.kind, "done", "{:?}", self.events);
        &last.data
    }

    pub fn error(&self) -> (&str, &str) {
        let errors = self.of("error");
        assert_eq!(errors.len(), 1, "{:?}", self.events);
        (
            errors[0]["code"].as_str().unwrap(),
            errors[0]["message"].as_str().unwrap(),
        )
    }

    /// Numbered from 1 without a gap.
    pub fn check_numbers(&self) {
        for (at, event) in self.events.iter().enumerate() {
            assert_eq!(event.seq, at as u64 + 1, "{:?}", self.events);
        }
    }
}
