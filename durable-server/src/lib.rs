//! HTTP servers for durable executions.
//!
//! [`router`] is a page for people and a JSON API for programs, to be mounted in any axum app; [`Server`]
//! serves it by itself, as the `durable serve` command does.
//!
//! [`lambda`] runs Lambda functions on this machine. It serves the Runtime API to unmodified
//! functions, and the durable execution API and `Invoke` to AWS clients. The `durable lambda`
//! command is a thin wrapper.
//!
//! # Features
//!
//! | feature | contents |
//! |---|---|
//! | `lambda` (default) | [`lambda`] |
//! | `serve` (default) | [`router`], [`Server`] |

#[cfg(any(feature = "lambda", feature = "serve"))]
mod http;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "serve")]
mod serve;
pub mod view;

#[cfg(all(doctest, feature = "serve"))]
#[doc = include_str!("../docs/serve.md")]
mod guide {}

#[cfg(feature = "serve")]
pub use serve::{Access, InvalidToken, Options, ServeError, Server, Token, router};

#[cfg(all(doctest, feature = "serve"))]
#[doc = include_str!("../README.md")]
struct Readme;
