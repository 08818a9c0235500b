//! One agent run from end to end, on the embedded defaults.

mod client;
mod print;

use anyhow::{Context as _, bail};
use hardshell_scripted_model::{Script, ScriptedModel};
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};

use crate::cli::serve::start;
use crate::config::Config;
use client::Client;
use print::Printer;

const SCRIPT: &str = include_str!("../../demo/script.json");
const FIRST: &str = include_str!("../../demo/first.txt");
const SECOND: &str = include_str!("../../demo/second.txt");

/// Plays the demo to its end.
pub(crate) async fn play(mut config: Config, json: bool) -> anyhow::Result<()> {
    let mut printer = Printer::new(json);
    let folder = tempfile::Builder::new()
        .prefix("hardshell-demo-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    config.service.data_dir = folder.path().join("data");
    config.server.listen = ([127, 0, 0, 1], 0).into();
    config.server.inner_listen = ([127, 0, 0, 1], 0).into();

    // Kept until the end: dropping it ends the model.
    let mut scripted = None;
    if config.service.model.api_key.is_none() {
        let model = ScriptedModel::start(Script::from_json(SCRIPT)?)?;
        config.service.model.base_url = model.base_url();
        config.service.model.api_key = Some("sk-demo-no-key-is-needed".into());
        scripted = Some(model);
        printer.note("No ANTHROPIC_API_KEY: a scripted model plays. All else is real: the agent CLI, the service, the tools.");
    } else {
        printer.note(&format!(
            "{} does the job.",
            config.service.model.default_model
        ));
    }

    let server = start(&config).await?;
    let key = server
        .service
        .take_first_key()
        .context("a new server makes a key")?;
    printer.note(&format!(
        "The server listens on http://{}, its data is in {}.",
        server.address,
        folder.path().display()
    ));

    let client = Client::new(server.address, key.key.expose_secret())?;
    let played = turns(&client, &mut printer).await;
    server.stop().await;
    drop(scripted);
    played
}

async fn turns(client: &Client, printer: &mut Printer) -> anyhow::Result<()> {
    let conversation = turn(client, printer, FIRST.trim(), None).await?;
    let files = client
        .get(&format!("/conversations/{conversation}/files"))
        .await?;
    printer.files(&conversation, &files);
    turn(client, printer, SECOND.trim(), Some(&conversation)).await?;
    let told = client
        .get(&format!("/conversations/{conversation}"))
        .await?;
    printer.end(&told);
    Ok(())
}

/// One `POST /execute`, printed as it comes. Gives the conversation.
async fn turn(
    client: &Client,
    printer: &mut Printer,
    prompt: &str,
    conversation: Option<&str>,
) -> anyhow::Result<String> {
    let mut body = json!({ "prompt": prompt });
    if let (Some(id), Some(body)) = (conversation, body.as_object_mut()) {
        body.insert("conversation".to_owned(), id.into());
    }
    printer.request(&body);
    let (conversation, mut events) = client.execute(&body).await?;
    let mut state = None;
    let mut error = None;
    while let Some(event) = events.next().await? {
        printer.event(&event);
        let text = |key: &str| {
            event
                .data
                .get(key)
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        match event.name.as_str() {
            "done" => state = text("state"),
            "error" => error = text("message"),
            _ => {}
        }
    }
    match (state.as_deref(), error) {
        (Some("finished"), None) => Ok(conversation),
        (_, Some(message)) => bail!("the run failed: {message}"),
        (Some(state), None) => bail!("the run ended as {state}"),
        (None, None) => bail!("the stream ended before the run did"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    #[test]
    fn the_script_is_one() {
        super::Script::from_json(super::SCRIPT).unwrap();
    }
}
