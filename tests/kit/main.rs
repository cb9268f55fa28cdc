//! The testing kit: what it runs, what it catches, and what it leaves alone.

mod right;
mod run;
mod wrong;
