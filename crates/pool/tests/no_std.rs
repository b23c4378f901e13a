//! The crate is made alone, without `std`, and works in a program that has no library at all.

#![cfg(all(target_arch = "x86_64", target_os = "linux"))]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

fn rustc() -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.current_dir(env!("CARGO_MANIFEST_DIR"));
    rustc.args(["--edition=2024", "-Copt-level=1", "-Cpanic=abort", "-Cdebuginfo=0"]);
    rustc
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("the command starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("the output is text")
}

#[test]
fn the_crate_works_in_a_program_without_any_library() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("freestanding");
    fs::create_dir_all(&directory).expect("there is room for a program");
    let library = directory.join("libleasehold_pool.rlib");
    let program = directory.join("program");
    let source = ["--crate-type=rlib", "--crate-name=leasehold_pool", "src/lib.rs", "-o"];
    run(rustc().args(source).arg(&library));
    let library = format!("--extern=leasehold_pool={}", library.display());
    run(rustc()
        .args(["tests/freestanding/program.rs", "-Crelocation-model=static"])
        .args(["-Clink-arg=-nostdlib", "-Clink-arg=-static", &library, "-o"])
        .arg(&program));
    // Static and without a library: what links needs nothing. It exits with 0 if the pool works.
    run(&mut Command::new(&program));
}
