//! Programs that tests need and that may be missing. `.ci/run` installs them and sets
//! `DURABLE_REQUIRE_BROWSER` and `DURABLE_REQUIRE_OPENAPI`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder of the workspace.
pub(crate) fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).unwrap()
}

/// Says that a test is skipped, or fails where it must not be.
pub(crate) fn skip(what: &str, required: &str) {
    assert!(
        std::env::var_os(required).is_none(),
        "{what} is missing, and {required} is set"
    );
    println!("skipped: no {what}");
}

/// A program of the environment that `.ci/run` sets up, or one on the path.
pub(crate) fn python(name: &str) -> Option<PathBuf> {
    let own = workspace().join("target/openapi-venv/bin").join(name);
    [own, name.into()].into_iter().find(|program| runs(program))
}

pub(crate) fn runs(program: &Path) -> bool {
    let mut command = Command::new(program);
    command
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// A program on the path.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|folder| folder.join(name));
    places.find(|place| place.is_file())
}
