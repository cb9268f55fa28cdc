//! Build time and size of the expansion that call sites add to a debug build.

use std::path::Path;

use crate::call_sites::{Project, Template};
use crate::{Arguments, BoxError, Line};

/// Measures a tenth of `n` call sites and `n` call sites, each against the same calls without the library.
pub fn measure(
    library: &str,
    arguments: &Arguments,
    template: fn() -> Template,
) -> Result<(), BoxError> {
    let peers = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .ok_or("the benchmark is outside of its workspace")?;
    let project = Project::create(
        peers.join(format!("../../target/compile-bench-{library}")),
        peers.join("Cargo.lock"),
        template(),
    )?;
    for sites in [arguments.n().div_ceil(10), arguments.n()] {
        let builds = project.measure(sites)?;
        let arguments = arguments.with_n(sites);
        let line = Line::new(library, &arguments, 1, "us_per_build", &builds.durable)
            .with("plain_calls_p50", builds.plain.p50());
        let fields = builds.fields().into_iter();
        fields
            .fold(line, |line, (name, value)| line.with(name, value))
            .print()?;
    }
    Ok(())
}
