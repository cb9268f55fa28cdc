//! Build time and size of the expansion that call sites add to a debug build.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use durable::prelude::BoxError;

use crate::process;
use crate::report::{Line, Samples};
use crate::settings::Settings;

/// Call sites in each generated function.
const PER_FUNCTION: u32 = 10;

/// Builds of each variant. The median counts.
const ROUNDS: u32 = 3;

/// Crate with generated functions.
struct Project {
    folder: PathBuf,
}

/// How the calls of the generated functions are written.
#[derive(Clone, Copy, PartialEq)]
enum Calls {
    Plain,
    Steps,
}

/// Measures a tenth of `n` call sites and `n` call sites, each against the same calls without the attribute.
pub fn measure(settings: &Settings) -> Result<(), BoxError> {
    let project = Project::create()?;
    for sites in [settings.n.div_ceil(10), settings.n] {
        let sizes = [Calls::Plain, Calls::Steps].map(|calls| project.expanded_len(sites, calls));
        let [plain_len, steps_len] = sizes;
        let (mut plain, mut steps) = (Vec::new(), Vec::new());
        let (mut plain_cpu, mut steps_cpu) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let before = process::children_cpu_s();
            plain.push(project.build(sites, Calls::Plain)?);
            let between = process::children_cpu_s();
            steps.push(project.build(sites, Calls::Steps)?);
            plain_cpu.push(between - before);
            steps_cpu.push(process::children_cpu_s() - between);
        }
        let (plain, steps) = (Samples::new(plain, 1), Samples::new(steps, 1));
        let added_cpu = Samples::of(steps_cpu).p50() - Samples::of(plain_cpu).p50();
        let settings = Settings {
            n: sites,
            steps: sites,
            store: String::new(),
            ..*settings
        };
        let added = (steps.p50() - plain.p50()) / 1e6;
        let expanded = steps_len?.saturating_sub(plain_len?) as f64 / f64::from(sites);
        Line::new("compile", "none", &settings, "us_per_build", &steps)
            .floor("plain_calls", &plain)
            .with("added_s", added)
            .with("added_cpu_s", added_cpu)
            .with("expanded_bytes_per_site", expanded)
            .print()?;
    }
    Ok(())
}

impl Project {
    /// Creates the crate in the target folder of the workspace and builds its dependencies.
    fn create() -> Result<Self, BoxError> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
            .parent()
            .ok_or("the benchmark is outside of its workspace")?;
        let folder = workspace.join("target/compile-bench");
        std::fs::create_dir_all(folder.join("src"))?;
        let durable = workspace.join("durable");
        let manifest = format!(
            "[package]\nname = \"compile-bench\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\ndurably = {{ path = {durable:?}, default-features = false }}\n"
        );
        std::fs::write(folder.join("Cargo.toml"), manifest)?;
        std::fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock"))?;
        let project = Self { folder };
        project.build(0, Calls::Plain)?;
        Ok(project)
    }

    /// Returns the time of a debug build after a change of the source.
    fn build(&self, sites: u32, calls: Calls) -> Result<Duration, BoxError> {
        std::fs::write(self.folder.join("src/lib.rs"), source(sites, calls)?)?;
        let start = Instant::now();
        run(self.cargo().arg("build"))?;
        Ok(start.elapsed())
    }

    /// Returns the length of the expanded source in bytes.
    fn expanded_len(&self, sites: u32, calls: Calls) -> Result<usize, BoxError> {
        std::fs::write(self.folder.join("src/lib.rs"), source(sites, calls)?)?;
        let mut cargo = self.cargo();
        // Stable compilers print expansions only with this variable. It is not set for the dependencies.
        cargo.env("RUSTC_BOOTSTRAP", "compile_bench");
        Ok(run(cargo.args(["rustc", "--", "-Zunpretty=expanded"]))?.len())
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.folder)
            .args(["--quiet", "--offline"]);
        cargo
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("CARGO_INCREMENTAL", "0");
        cargo
    }
}

fn run(command: &mut Command) -> Result<Vec<u8>, BoxError> {
    let output = command.output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{command:?} failed: {errors}").into());
    }
    Ok(output.stdout)
}

/// Generates functions with `sites` calls in total.
fn source(sites: u32, calls: Calls) -> Result<String, std::fmt::Error> {
    let mut text = String::from(
        "#![allow(dead_code)]\nuse durable::prelude::*;\n\
         async fn work(n: u32) -> Result<u32, BoxError> { Ok(n) }\n",
    );
    for function in 0..sites.div_ceil(PER_FUNCTION) {
        if calls == Calls::Steps {
            text.push_str("#[durable]\n");
        }
        writeln!(
            text,
            "pub async fn f{function}(n: u32) -> Result<u32, BoxError> {{"
        )?;
        writeln!(text, "    let mut total = 0;")?;
        for site in 0..PER_FUNCTION.min(sites - function * PER_FUNCTION) {
            match calls {
                Calls::Plain => writeln!(text, "    total += work(n).await?;")?,
                Calls::Steps => {
                    writeln!(
                        text,
                        "    total += step!(\"s{site}\", work(n).await).await?;"
                    )?;
                }
            }
        }
        writeln!(text, "    Ok(total)\n}}")?;
    }
    Ok(text)
}
