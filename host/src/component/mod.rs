//! WASI 0.2 commands: wasmtime-wasi for clocks, random numbers, streams and the command
//! line; the kernel's own file system and descriptors, so that quotas, the journal and the
//! mounts hold for them as for everybody else. No network.

mod convert;
mod files;
mod streams;

use std::sync::Arc;

use wasmtime::Store;
use wasmtime::component::{HasData, Linker, ResourceTable};
use wasmtime_wasi::p2::bindings::{CommandPre, filesystem};
use wasmtime_wasi::{I32Exit, WasiCtx, WasiCtxView, WasiView};

use crate::process::Stop;
use crate::process::state::State;
use crate::report::Termination;

/// What lives in a component's store.
pub(crate) struct ComponentState {
    pub(crate) state: State,
    ctx: WasiCtx,
    table: ResourceTable,
}

impl WasiView for ComponentState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView {
            ctx: &mut self.ctx,
            table: &mut self.table,
        }
    }
}

/// The file system of a component, while one of its imports runs.
pub(crate) struct Files<'a> {
    state: &'a State,
    table: &'a mut ResourceTable,
}

struct HasFiles;

impl HasData for HasFiles {
    type Data<'a> = Files<'a>;
}

fn files(state: &mut ComponentState) -> Files<'_> {
    Files {
        state: &state.state,
        table: &mut state.table,
    }
}

/// The imports of a command.
pub(crate) fn linker(engine: &wasmtime::Engine) -> wasmtime::Result<Linker<ComponentState>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    linker.allow_shadowing(true);
    filesystem::types::add_to_linker::<ComponentState, HasFiles>(&mut linker, files)?;
    filesystem::preopens::add_to_linker::<ComponentState, HasFiles>(&mut linker, files)?;
    linker.allow_shadowing(false);
    Ok(linker)
}

/// The store of a component process.
pub(crate) fn store(engine: &wasmtime::Engine, state: State) -> Store<ComponentState> {
    let mut builder = WasiCtx::builder();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    for word in state.proc.argv.iter() {
        builder.arg(text(word));
    }
    for pair in state.env.iter() {
        let pair = text(pair);
        if let Some((key, value)) = pair.split_once('=') {
            builder.env(key, value);
        }
    }
    builder.initial_cwd(text(state.cwd.path()));
    builder
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    if let Ok(desc) = state.fds.get(0) {
        builder.stdin(streams::End::new(Arc::clone(desc), &state));
    }
    if let Ok(desc) = state.fds.get(1) {
        builder.stdout(streams::End::new(Arc::clone(desc), &state));
    }
    if let Ok(desc) = state.fds.get(2) {
        builder.stderr(streams::End::new(Arc::clone(desc), &state));
    }
    let ctx = builder.build();
    let mut store = Store::new(
        engine,
        ComponentState {
            state,
            ctx,
            table: ResourceTable::new(),
        },
    );
    store.limiter(|state| &mut state.state);
    store
}

/// Runs `wasi:cli/run`.
pub(crate) async fn run(
    pre: &CommandPre<ComponentState>,
    store: &mut Store<ComponentState>,
) -> wasmtime::Result<()> {
    let command = pre.instantiate_async(&mut *store).await?;
    match command.wasi_cli_run().call_run(&mut *store).await? {
        Ok(()) => Ok(()),
        Err(()) => Err(wasmtime::Error::new(Stop::plain(Termination::Exited(1)))),
    }
}

/// The status of a component that called `exit`.
pub(crate) fn exit_status(e: &wasmtime::Error) -> Option<u8> {
    let exit = e.downcast_ref::<I32Exit>()?;
    Some(u8::try_from(exit.0 & 0xff).unwrap_or(u8::MAX))
}
