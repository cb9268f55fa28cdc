//! Tests of the testing kit: what it runs, what it detects, and what it accepts.

mod names;
mod replay;
mod right;
mod run;
mod with;
mod wrong;
