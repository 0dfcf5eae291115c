//! Placeholder while plan 1 is brought up.
