//! The trial in silico: virtual patients run a protocol.

pub mod model;
pub mod outcome;
pub mod patient;
pub mod program;
pub mod recist;
pub mod ward;

pub use model::Model;
pub use outcome::Outcome;
pub use program::Program;
