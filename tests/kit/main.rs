//! The testing kit: what it runs, what it catches, and what it leaves alone.

mod names;
mod replay;
mod right;
mod run;
mod with;
mod wrong;
