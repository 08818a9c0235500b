//! Plays a script until Enter: `cargo run -p hardshell-scripted-model --example play SCRIPT.json`.

use hardshell_scripted_model::{Script, ScriptedModel};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("which script?")?;
    let model = ScriptedModel::start(Script::from_json(&std::fs::read_to_string(path)?)?)?;
    println!("{}", model.base_url());
    std::io::stdin().read_line(&mut String::new())?;
    for request in model.requests() {
        println!(
            "{} {} turn {:?} {}",
            request.method, request.path, request.turn, request.body
        );
    }
    Ok(())
}
