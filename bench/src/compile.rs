//! Build time and size of the expansion that call sites add to a debug build.

use std::fmt::Write as _;
use std::path::Path;

use durable::prelude::BoxError;

use crate::call_sites::{Project, Template};
use crate::report::Line;
use crate::settings::Settings;

/// Measures a tenth of `n` call sites and `n` call sites, each against the same calls without the attribute.
pub fn measure(settings: &Settings) -> Result<(), BoxError> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("the benchmark is outside of its workspace")?;
    let project = Project::create(
        workspace.join("target/compile-bench"),
        workspace.join("Cargo.lock"),
        template(&workspace.join("durable")),
    )?;
    for sites in [settings.n.div_ceil(10), settings.n] {
        let builds = project.measure(sites)?;
        let settings = Settings {
            n: sites,
            steps: sites,
            store: String::new(),
            ..*settings
        };
        let line = Line::new(
            "compile",
            "none",
            &settings,
            "us_per_build",
            &builds.durable,
        )
        .floor("plain_calls", &builds.plain);
        let fields = builds.fields().into_iter();
        fields
            .fold(line, |line, (name, value)| line.with(name, value))
            .print()?;
    }
    Ok(())
}

fn template(durable: &Path) -> Template {
    Template {
        dependency: format!("durably = {{ path = {durable:?}, default-features = false }}"),
        header: "use durable::prelude::*;\nasync fn work(n: u32) -> Result<u32, BoxError> { Ok(n) }\n",
        result: "Result<u32, BoxError>",
        attribute: "#[durable]\n",
        registering: "#[durable]\n",
        parameters: "n: u32",
        call: |site| format!("step!(\"s{site}\", work(n).await)"),
        register,
    }
}

fn register(functions: u32) -> String {
    let mut text =
        "pub fn register(worker: durable::Worker) -> durable::Worker {\n    worker".to_owned();
    for function in 0..functions {
        let _ = write!(text, ".register(f{function})");
    }
    text + "\n}\n"
}
