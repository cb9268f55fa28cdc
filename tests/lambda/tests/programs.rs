//! Programs on Lambda under faults of the service, the network and the processes. Each function runs in a process of
//! this test binary.

#[path = "programs/calls.rs"]
mod calls;
#[path = "programs/edge_cases.rs"]
mod edge_cases;
#[path = "programs/external.rs"]
mod external;
#[path = "programs/harness.rs"]
mod harness;
#[path = "programs/interruptions.rs"]
mod interruptions;
#[path = "programs/limits.rs"]
mod limits;
#[path = "programs/random.rs"]
mod random;
#[path = "programs/subject.rs"]
mod subject;
#[path = "programs/time.rs"]
mod time;
#[path = "programs/values.rs"]
mod values;
