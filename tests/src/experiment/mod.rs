//! The lessons' own questions, put to a server: one file each, which returns what was seen.

mod held_still;
mod on_their_own;
mod one_after_another;
mod one_leaves;
mod refused_fork;

pub use held_still::{held_still, held_still_until};
pub use on_their_own::on_their_own;
pub use one_after_another::one_after_another;
pub use one_leaves::Lag;
pub(crate) use one_leaves::one_leaves;
pub use refused_fork::{ROOT_IS_SPARED, refuses_a_fork};
