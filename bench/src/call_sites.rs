//! Builds of a generated crate with many call sites, and of the same calls without the library.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::BoxError;
use crate::process;
use crate::samples::Samples;

/// Call sites in each generated function.
const PER_FUNCTION: u32 = 10;

/// Builds of each variant. The median counts.
const ROUNDS: u32 = 3;

/// Text of the generated crate.
pub struct Template {
    /// Line of the crate under test in `[dependencies]`.
    pub dependency: String,
    /// Imports, and the function `work(n: u32)` that all sites call.
    pub header: &'static str,
    /// Result type of all functions.
    pub result: &'static str,
    /// Attribute without which the library's calls do not compile, with its line break.
    pub attribute: &'static str,
    /// Attribute that registers a function, with its line break. It contains the one above.
    pub registering: &'static str,
    /// Parameters of functions with calls of the library.
    pub parameters: &'static str,
    /// Returns the call of the site with a number.
    pub call: fn(u32) -> String,
    /// Returns items that register a number of functions, if an attribute does not.
    pub register: fn(u32) -> String,
}

/// Crate with generated functions.
pub struct Project {
    folder: PathBuf,
    template: Template,
}

/// How the calls of the generated functions are written.
#[derive(Clone, Copy, PartialEq)]
enum Calls {
    Plain,
    Durable,
    /// Like `Durable`, and the functions are registered. Only then does the compiler generate code for the bodies of
    /// `#[durable]` functions; it always does for those of a `pub async fn`.
    Registered,
}

/// Builds with a number of call sites.
pub struct Builds {
    /// Build times with plain calls.
    pub plain: Samples,
    /// Build times with calls of the library.
    pub durable: Samples,
    /// Build times with calls of the library in registered functions.
    pub registered: Samples,
    /// Processor time that the library adds, in seconds.
    pub added_cpu_s: f64,
    /// Source that each call site adds to the expansion, in bytes.
    pub expanded_bytes_per_site: f64,
}

impl Builds {
    /// Returns the fields of the result line.
    pub fn fields(&self) -> [(&'static str, f64); 4] {
        let added = |to: &Samples| (to.p50() - self.plain.p50()) / 1e6;
        [
            ("added_s", added(&self.durable)),
            ("added_registered_s", added(&self.registered)),
            ("added_cpu_s", self.added_cpu_s),
            ("expanded_bytes_per_site", self.expanded_bytes_per_site),
        ]
    }
}

impl Project {
    /// Creates the crate in a folder, with a copy of a lock file, and builds its dependencies.
    pub fn create(folder: PathBuf, lock: PathBuf, template: Template) -> Result<Self, BoxError> {
        std::fs::create_dir_all(folder.join("src"))?;
        let manifest = format!(
            "[package]\nname = \"compile-bench\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
             [dependencies]\n{}\n",
            template.dependency
        );
        std::fs::write(folder.join("Cargo.toml"), manifest)?;
        std::fs::copy(lock, folder.join("Cargo.lock"))?;
        let project = Self { folder, template };
        project.build(0, Calls::Plain)?;
        Ok(project)
    }

    /// Builds `sites` call sites several times, alternating with plain calls.
    pub fn measure(&self, sites: u32) -> Result<Builds, BoxError> {
        let plain_len = self.expanded_len(sites, Calls::Plain)?;
        let durable_len = self.expanded_len(sites, Calls::Durable)?;
        let (mut plain, mut durable) = (Vec::new(), Vec::new());
        let (mut plain_cpu, mut durable_cpu) = (Vec::new(), Vec::new());
        let mut registered = Vec::new();
        for _ in 0..ROUNDS {
            let before = process::children_cpu_s();
            plain.push(self.build(sites, Calls::Plain)?);
            let between = process::children_cpu_s();
            durable.push(self.build(sites, Calls::Durable)?);
            plain_cpu.push(between - before);
            durable_cpu.push(process::children_cpu_s() - between);
            registered.push(self.build(sites, Calls::Registered)?);
        }
        let expanded = durable_len.saturating_sub(plain_len) as f64;
        Ok(Builds {
            plain: Samples::new(plain, 1),
            durable: Samples::new(durable, 1),
            registered: Samples::new(registered, 1),
            added_cpu_s: Samples::of(durable_cpu).p50() - Samples::of(plain_cpu).p50(),
            expanded_bytes_per_site: expanded / f64::from(sites),
        })
    }

    /// Returns the time of a debug build after a change of the source.
    fn build(&self, sites: u32, calls: Calls) -> Result<Duration, BoxError> {
        std::fs::write(
            self.folder.join("src/lib.rs"),
            self.template.source(sites, calls)?,
        )?;
        let start = Instant::now();
        run(self.cargo().arg("build"))?;
        Ok(start.elapsed())
    }

    /// Returns the length of the expanded source in bytes.
    fn expanded_len(&self, sites: u32, calls: Calls) -> Result<usize, BoxError> {
        std::fs::write(
            self.folder.join("src/lib.rs"),
            self.template.source(sites, calls)?,
        )?;
        let expand = ["rustc", "--", "-Zunpretty=expanded"];
        Ok(run(self.cargo().args(expand))?.len())
    }

    fn cargo(&self) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        cargo
            .current_dir(&self.folder)
            .args(["--quiet", "--offline"]);
        cargo
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env("CARGO_INCREMENTAL", "0")
            // Stable compilers print expansions of this crate only with this variable. All builds have it, because a
            // change of it builds dependencies again.
            .env("RUSTC_BOOTSTRAP", "compile_bench");
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

impl Template {
    /// Generates functions with `sites` calls in total.
    fn source(&self, sites: u32, calls: Calls) -> Result<String, std::fmt::Error> {
        let functions = sites.div_ceil(PER_FUNCTION);
        let mut text = format!("#![allow(dead_code, unused_imports)]\n{}", self.header);
        let (attribute, parameters) = match calls {
            Calls::Plain => ("", "n: u32"),
            Calls::Durable => (self.attribute, self.parameters),
            Calls::Registered => (self.registering, self.parameters),
        };
        for function in 0..functions {
            writeln!(
                text,
                "{attribute}pub async fn f{function}({parameters}) -> {} {{",
                self.result
            )?;
            writeln!(text, "    let mut total = 0;")?;
            for site in 0..PER_FUNCTION.min(sites - function * PER_FUNCTION) {
                let call = match calls {
                    Calls::Plain => "work(n)".to_owned(),
                    Calls::Durable | Calls::Registered => (self.call)(site),
                };
                writeln!(text, "    total += {call}.await?;")?;
            }
            writeln!(text, "    Ok(total)\n}}")?;
        }
        if calls == Calls::Registered {
            text.push_str(&(self.register)(functions));
        }
        Ok(text)
    }
}
