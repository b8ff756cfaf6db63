//! Builders and renderings shared by all proofs. Times are written relative to [`T0`].

mod build;
mod say;
mod scene;
mod show;

pub(crate) use build::*;
pub(crate) use say::*;
pub(crate) use scene::*;
pub(crate) use show::*;
