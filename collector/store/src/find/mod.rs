//! A condition in; the spans that meet it out, in the order asked for.

mod filter;
mod scalar;
mod search;
mod top;

pub(crate) use filter::any_value;
pub use filter::{Field, Fields, Filter, Op, Operand, Owner};
pub use scalar::Scalar;
pub use search::{Found, Hit, Search, Sort};
pub(crate) use top::Top;
