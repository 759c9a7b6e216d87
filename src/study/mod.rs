//! Experiments: several runs that answer one question.

pub mod compare;
