//! A `hardshell serve` of a test's own, on free ports, with its data in a temporary folder.

use crate::http::Client;
use crate::sse::{Event, Events};
use crate::{binary, proc};
use hardshell_scripted_model::{Handle, Script, ScriptedModel};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

/// The provider's key as the server is given it: it must never be seen anywhere but in what the
/// model receives.
pub const MODEL_KEY: &str = "sk-test-4f1d7c0e9a-only-the-gateway-knows";

/// How long a server may take until it answers; the first start of all compiles the modules.
const START: Duration = Duration::from_secs(300);

/// How a server is started.
#[derive(Default)]
pub struct Options {
    /// Configuration keys, `key=value`.
    pub set: Vec<String>,
    /// Environment variables.
    pub env: Vec<(String, String)>,
    /// The agent CLI; the real one unless said.
    pub agent: Option<PathBuf>,
}

/// A running server and its model.
pub struct Server {
    child: Child,
    /// The scripted model that it talks to.
    pub model: Handle,
    /// A client without a key.
    pub anonymous: Client,
    /// A client with the key of the first tenant.
    pub client: Client,
    /// The key of the first tenant.
    pub key: String,
    output: Arc<Mutex<String>>,
    settings: Vec<String>,
    data: tempfile::TempDir,
}

impl Server {
    /// Starts a server whose model plays this script.
    pub fn start(script: &Value) -> Self {
        Self::with(script, Options::default())
    }

    /// Starts a server with options.
    pub fn with(script: &Value, options: Options) -> Self {
        let mut script = Script::from_json(&script.to_string()).expect("a script");
        script
            .require_key
            .get_or_insert_with(|| MODEL_KEY.to_owned());
        if script.tool_prefix.is_empty() {
            script.tool_prefix = "mcp__hardshell__".to_owned();
        }
        let model = ScriptedModel::start(script).expect("the model starts");
        let data = tempfile::tempdir().expect("a temporary folder");
        let mut settings = vec![
            "server.listen=127.0.0.1:0".to_owned(),
            format!("data_dir={}", data.path().join("data").display()),
            format!("model.base_url={}", model.base_url()),
            format!(
                "agent.cli={}",
                options.agent.unwrap_or_else(binary::agent_cli).display()
            ),
        ];
        settings.extend(options.set);
        let mut command = configured("serve", &settings, data.path());
        command
            .env("ANTHROPIC_API_KEY", MODEL_KEY)
            .envs(options.env);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");

        let output = Arc::new(Mutex::new(String::new()));
        let (lines, told) = mpsc::channel();
        collect(
            child.stdout.take().expect("stdout is piped"),
            Arc::clone(&output),
            Some(lines),
        );
        collect(
            child.stderr.take().expect("stderr is piped"),
            Arc::clone(&output),
            None,
        );

        let (mut url, mut key) = (None, None);
        let end = std::time::Instant::now() + START;
        while url.is_none() || key.is_none() {
            let left = end.saturating_duration_since(std::time::Instant::now());
            let Ok(line) = told.recv_timeout(left) else {
                let _ = child.kill();
                let said = output.lock().expect("the collector does not panic").clone();
                panic!(
                    "the server did not say where it listens and what its first key is:\n{said}"
                );
            };
            let words: Vec<&str> = line.split_whitespace().collect();
            if let Some(found) = words.iter().find(|word| word.starts_with("http://")) {
                url = Some(found.trim_end_matches(['.', '/', ',']).to_owned());
            } else if let [word] = words.as_slice()
                && word.len() >= 20
            {
                // The first key stands on a line of its own.
                key = Some((*word).to_owned());
            }
        }
        let (url, key) = (url.unwrap_or_default(), key.unwrap_or_default());
        let anonymous = Client::new(&url);
        Self {
            child,
            model,
            client: anonymous.key(&key),
            anonymous,
            key,
            output,
            settings,
            data,
        }
    }

    /// A client of another tenant.
    pub fn other_tenant(&self) -> Client {
        let mut command = configured("keys", &self.settings, self.data.path());
        command.args(["create", "--tenant", "stranger"]);
        let ran = binary::run(command, b"");
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        self.anonymous
            .key(ran.stdout.split_whitespace().last().expect("a key"))
    }

    /// Runs a prompt to its end; the events.
    pub fn execute(&self, body: &Value) -> Vec<Event> {
        self.begin(body).collect()
    }

    /// Starts a run; its events as they come.
    pub fn begin(&self, body: &Value) -> Events {
        Events::new(self.client.post("/execute", body))
    }

    /// A prompt in a new conversation.
    pub fn prompt(text: &str) -> Value {
        json!({"prompt": [{"type": "text", "text": text}]})
    }

    /// A prompt that continues a conversation.
    pub fn prompt_in(conversation: &str, text: &str) -> Value {
        json!({"prompt": [{"type": "text", "text": text}], "conversation": conversation})
    }

    /// Everything that the server wrote so far, on both its outputs.
    pub fn output(&self) -> String {
        self.output
            .lock()
            .expect("the collector does not panic")
            .clone()
    }

    /// Where its data lies.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The agent child, once there is one.
    pub fn agent_pid(&self) -> Option<u32> {
        proc::wait_until(Duration::from_secs(20), || {
            proc::descendants(self.pid()).into_iter().find(|pid| {
                proc::cmdline(*pid)
                    .first()
                    .is_some_and(|program| program.contains("claude"))
            })
        })
    }

    /// Asks the server to end, and waits; its exit code.
    pub fn stop(mut self) -> Option<i32> {
        terminate(&self.child);
        proc::wait_until(Duration::from_secs(60), || {
            self.child.try_wait().ok().flatten()
        })
        .and_then(|status| status.code())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|status| status.is_some()) {
            return;
        }
        terminate(&self.child);
        // A server that does not end by itself is a finding of the test that asks for it, not of all.
        if proc::wait_until(Duration::from_secs(10), || {
            self.child.try_wait().ok().flatten()
        })
        .is_none()
        {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- what the server wrote\n{}---", self.output());
        }
    }
}

fn configured(subcommand: &str, settings: &[String], home: &Path) -> Command {
    let mut command = binary::command();
    command.arg(subcommand).current_dir(home);
    // `keys create …` has its own words after the subcommand; the settings may follow in any order.
    for setting in settings {
        let (key, value) = setting.split_once('=').expect("key=value");
        command.env(
            format!("HARDSHELL_{}", key.replace('.', "_").to_uppercase()),
            value,
        );
    }
    command
}

fn terminate(child: &Child) {
    if let Some(pid) = i32::try_from(child.id())
        .ok()
        .and_then(rustix::process::Pid::from_raw)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}

fn collect(
    from: impl Read + Send + 'static,
    into: Arc<Mutex<String>>,
    lines: Option<mpsc::Sender<String>>,
) {
    std::thread::spawn(move || {
        for line in BufReader::new(from).lines() {
            let Ok(line) = line else { return };
            if let Ok(mut all) = into.lock() {
                all.push_str(&line);
                all.push('\n');
            }
            if let Some(lines) = &lines {
                let _ = lines.send(line);
            }
        }
    });
}

/// The first value of this key in any event's data, at any depth.
pub fn find<'a>(events: &'a [Event], key: &str) -> Option<&'a str> {
    events.iter().find_map(|event| find_in(&event.data, key))
}

fn find_in<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    match value {
        Value::Object(fields) => match fields.get(key).and_then(Value::as_str) {
            Some(found) => Some(found),
            None => fields.values().find_map(|field| find_in(field, key)),
        },
        Value::Array(items) => items.iter().find_map(|item| find_in(item, key)),
        _ => None,
    }
}
