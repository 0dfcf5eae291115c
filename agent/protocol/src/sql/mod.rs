//! SQL, of every dialect: one lexer, and what is told of a statement (operation, tables, summary, text without
//! literals). Comes in: a statement's bytes, whole or cut anywhere. Goes out: a [`Digest`]. Refuses: to let a literal
//! through; where the text can be read in two ways, what may be a literal in either is left out.
//!
//! Beside it stands what the protocols of SQL servers share: statements that were prepared, and exchanges in order.

mod commenter;
mod digest;
mod keyword;
mod lexer;
pub(crate) mod pending;
pub(crate) mod queue;
pub(crate) mod statements;
mod summary;
mod text;

pub use digest::Digest;
pub(crate) use keyword::begins_statement;
pub use lexer::{Dialect, Family};
pub use summary::Object;
