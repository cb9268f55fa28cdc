//! Programs that run as functions in processes of this very binary, and what becomes of them when the
//! service, the network and the processes do not behave.

#[path = "programs/calls.rs"]
mod calls;
#[path = "programs/limits.rs"]
mod limits;
#[path = "programs/odd.rs"]
mod odd;
#[path = "programs/outside.rs"]
mod outside;
#[path = "programs/random.rs"]
mod random;
#[path = "programs/scene.rs"]
mod scene;
#[path = "programs/shapes.rs"]
mod shapes;
#[path = "programs/subject.rs"]
mod subject;
#[path = "programs/time.rs"]
mod time;
#[path = "programs/values.rs"]
mod values;
