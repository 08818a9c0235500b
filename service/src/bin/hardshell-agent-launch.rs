//! The launcher of agents by itself, for tests of the service without the product's
//! own executable around it.

fn main() -> std::process::ExitCode {
    hardshell_service::agent::launch::intercept().unwrap_or(std::process::ExitCode::from(2))
}
