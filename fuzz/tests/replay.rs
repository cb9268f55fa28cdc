//! Runs every target on its corpus, with any toolchain.

use std::fs;
use std::path::Path;

#[test]
fn every_target_accepts_its_corpus() {
    for (name, target) in durable_fuzz::TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("seeds")
            .join(name);
        let files: Vec<_> = fs::read_dir(&folder).unwrap().collect();
        assert!(!files.is_empty(), "{} is empty", folder.display());
        for file in files {
            let path = file.unwrap().path();
            println!("{}", path.display());
            target(&fs::read(path).unwrap());
        }
    }
}
