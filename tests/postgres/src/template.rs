//! Empty cluster that the folders of all servers are copies of, as `initdb` takes seconds.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::program::{as_user, folder};

/// Copies an empty cluster to `data`.
pub(crate) fn copy(initdb: &Path, data: &Path) {
    copy_folder(&template(initdb), data);
}

/// The cluster beside the test program. The first caller creates it; later processes find it.
fn template(initdb: &Path) -> PathBuf {
    static CREATION: Mutex<()> = Mutex::new(());
    let _one_at_a_time = CREATION.lock().unwrap();
    let program = std::env::current_exe().unwrap();
    // The name has the path of the program, which contains the version of PostgreSQL.
    let name = format!("cluster{}", initdb.display()).replace('/', "-");
    let template = program.with_file_name(name);
    if template.exists() {
        return template;
    }
    let made = folder();
    let data = made.path().join("data");
    let mut command = as_user(initdb);
    command.args(["-N", "-A", "trust", "-U", "postgres"]);
    command.args(["-E", "UTF8", "--no-locale", "-D"]);
    let done = command.arg(&data).output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let own = template.with_extension(std::process::id().to_string());
    copy_folder(&data, &own);
    if std::fs::rename(&own, &template).is_err() {
        // Another process was first.
        std::fs::remove_dir_all(&own).unwrap();
    }
    template
}

/// Copies a folder with the owners of its files.
fn copy_folder(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.args(["-a", "--reflink=auto"]).arg(from).arg(to);
    let done = command.output().unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
}
