//! `hardshell keys`.

use clap::Subcommand;
use hardshell_service::{KeyAdmin, KeyId, Scope, TenantId};
use secrecy::ExposeSecret as _;

use super::{ConfigArgs, kernel};
use crate::config::Settings;
use crate::exit::{self, Failed, Outcome};
use crate::telemetry;

/// Options of `hardshell keys`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  hardshell keys create --tenant acme
  hardshell keys create --tenant acme --scope read
  hardshell keys list
  hardshell keys revoke key_0192…

A key is shown when it is made and kept nowhere: only its digest is in the database. These
commands speak to the database of the configuration, also while a server runs.")]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
    #[command(flatten)]
    config: ConfigArgs,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a key, and its tenant if that is new
    Create {
        /// Whose key it is
        #[arg(long, value_name = "ID", default_value = "default")]
        tenant: TenantId,
        /// What it may do; may be given several times [default: read and write]
        #[arg(long, value_name = "SCOPE", value_parser = scope)]
        scope: Vec<Scope>,
    },
    /// List keys
    List {
        /// Only those of this tenant
        #[arg(long, value_name = "ID")]
        tenant: Option<TenantId>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// End a key; requests with it are refused from now on
    Revoke {
        /// Its id, as `hardshell keys list` shows it
        id: KeyId,
    },
}

fn scope(text: &str) -> Result<Scope, String> {
    match text {
        "read" => Ok(Scope::Read),
        "write" => Ok(Scope::Write),
        "admin" => Ok(Scope::Admin),
        _ => Err("one of read, write, admin".to_owned()),
    }
}

/// Makes, lists or ends keys.
pub(crate) fn run(args: &Args) -> Outcome {
    telemetry::quiet();
    let config = Settings::load(&args.config.flags())
        .and_then(|s| s.config())
        .map_err(Failed::usage)?
        .service;
    kernel::runtime()?.block_on(async {
        let keys = KeyAdmin::open(&config).await?;
        let done = act(&args.action, &keys).await;
        keys.close().await;
        done
    })?;
    Ok(exit::OK)
}

async fn act(action: &Action, keys: &KeyAdmin) -> anyhow::Result<()> {
    match action {
        Action::Create { tenant, scope } => {
            let scopes = if scope.is_empty() {
                vec![Scope::Read, Scope::Write]
            } else {
                scope.clone()
            };
            let (id, key) = keys.create(tenant, &scopes).await?;
            anstream::eprintln!(
                "Made {id} for the tenant {tenant}. The key is shown only now; keep it safe."
            );
            anstream::println!("{}", key.expose_secret());
        }
        Action::List { tenant, json } => {
            let found = keys.list(tenant.as_ref()).await?;
            if *json {
                anstream::println!("{}", serde_json::to_string(&found)?);
                return Ok(());
            }
            for key in found {
                let scopes: Vec<&str> = key.scopes.iter().map(|s| name(*s)).collect();
                let state = match key.revoked_at {
                    Some(_) => "revoked",
                    None => "active",
                };
                anstream::println!(
                    "{:<36}  {:<16}  {}…  {:<12}  {state}",
                    key.id.as_str(),
                    key.tenant.as_str(),
                    key.shown,
                    scopes.join(",")
                );
            }
        }
        Action::Revoke { id } => {
            if !keys.revoke(id).await? {
                anyhow::bail!("there is no active key {id}: `hardshell keys list` shows them");
            }
            anstream::println!("Revoked {id}.");
        }
    }
    Ok(())
}

fn name(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Write => "write",
        Scope::Admin => "admin",
    }
}
