//! Test vectors of operation ids. The ids are persisted, so a change would make every execution in flight run
//! all its steps again.

use durable_core::Occurrence::{Keyed, Once, Ordered};
use durable_core::OperationId;

#[test]
fn ids_never_change() {
    let root = OperationId::ROOT;
    let file = OperationId::of(root, "files", &Keyed("a.csv".into()));
    let vectors = [
        (
            OperationId::of(root, "publish", &Once),
            "5f08fcdf82fea3917037fe31619267fc",
        ),
        (
            OperationId::of(root, "load", &Ordered(3)),
            "a61d79e0e092e1b89f24c1d7d6ba1c95",
        ),
        (
            OperationId::of(root, "load", &Keyed("3".into())),
            "8d9e403bc4499115d9f8d41004c865e9",
        ),
        (file, "6c25dc7c4d5b976553e66dc4ea55f048"),
        (
            OperationId::of(file, "parse", &Once),
            "19b655d7170371e9978020ca0a93318d",
        ),
    ];
    for (id, expected) in vectors {
        assert_eq!(id.to_string(), expected);
    }
}
