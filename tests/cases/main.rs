//! One test per case file.

use hardshell_tests::case;
use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    let trials = case::files()
        .into_iter()
        .map(|(name, path)| Trial::test(name, move || case::check(&path).map_err(Failed::from)))
        .collect();
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
