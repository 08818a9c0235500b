//! A model that plays a script, for tests and for the demo.
//!
//! [`ScriptedModel::start`] opens an HTTP server on loopback that speaks the Messages API:
//! `POST …/v1/messages`, streaming or not, and `POST …/v1/messages/count_tokens`. What it
//! answers is data, a [`Script`] read from JSON; what it was asked is kept, every header and
//! body, for assertions. Dropping the [`Handle`] ends the server and every stream it holds open.
//!
//! ```
//! use hardshell_scripted_model::{Script, ScriptedModel};
//!
//! let script = Script::from_json(r#"{
//!     "tool_prefix": "mcp__hardshell__",
//!     "turns": [
//!         {"content": [
//!             {"type": "text", "text": "I will look."},
//!             {"type": "tool_use", "label": "list", "name": "Bash", "input": {"command": "ls"}}
//!         ]},
//!         {"when": {"last_tool_result": "README"},
//!          "content": [{"type": "text", "text": "I found: {{result:list}}"}]}
//!     ]
//! }"#).unwrap();
//! let model = ScriptedModel::start(script).unwrap();
//! assert!(model.base_url().starts_with("http://127.0.0.1:"));
//! assert!(model.requests().is_empty());
//! ```
//!
//! # How a turn is chosen
//! For each request, the first turn of the script that has plays left ([`Turn::plays`], 1 unless
//! said) and whose conditions ([`When`]) all hold. A turn without conditions is therefore simply
//! the next one. When none is left, [`Script::otherwise`] answers, or, without it, a 500 that
//! says so and what was asked, so that a script that is too short fails loudly.
//!
//! # Placeholders
//! Text, thinking and every string inside a tool's input may hold `{{result}}` (the last tool
//! result), `{{result:LABEL}}` (the result of the tool use with that label) and `{{user}}` (the
//! last thing the user wrote), each optionally with a regular expression whose first group, or
//! whole match, is taken: `{{result:start ~ id: (\w+)}}`.
//!
//! # What goes wrong on purpose
//! [`Turn::error`] answers with a status and an error body; [`Turn::raw`] with any bytes at all;
//! [`Stream`] slows the events down, cuts the connection in the middle of a block, sends an
//! error event, or falls silent.

mod fill;
mod message;
mod recorded;
mod script;
mod server;
mod view;

pub use recorded::Recorded;
pub use script::{
    Block, ErrorReply, RawReply, Script, ScriptError, Stream, StreamError, Turn, Usage, When,
};
pub use server::{Handle, ScriptedModel, StartError};
