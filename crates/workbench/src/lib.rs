//! The workbench: the whole course in a browser. A server, a store, pages, and an interface for other
//! programs that can do everything the pages can.
//!
//! | module | holds |
//! |---|---|
//! | [`store`] | where courses are kept: SQLite or PostgreSQL behind one trait |
//! | [`desk`] | recording: checked, once, and only on what the sender has seen |
//! | [`opened`] | a course read from the store, and what is due |
//! | [`jobs`] | long work: a queue that survives a restart, with progress |
//! | [`plans`] | planning as a job, and the images of a plan for a browser |
//! | [`trials`] | the courses of a protocol together: monitored, analysed |
//! | [`verifications`] | verifying as a job, and the images of what was given |
//! | `folders` | folders of the data folder, there whole or not at all |
//! | [`examples`] | the patients that are there on the first start |
//! | [`api`] | the interface: JSON, OpenAPI, events |
//! | [`pages`] | what a person sees |
//! | [`people`] | accounts, roles by centre, sessions, signatures |
//! | [`access`] | who may do what: a table of all paths |
//! | [`tls`] | TLS |
//! | [`guard`] | who may ask: hosts, origins, headers, limits |
//! | [`site`] | a whole site as one file: export, backup, import |
//! | [`problem`] | errors as one sentence, for programs and for people |
//!
//! Nothing is loaded from anywhere else: scripts, styles and pictures are in the program.

pub mod access;
pub mod api;
pub mod desk;
pub mod examples;
mod folders;
pub mod guard;
pub mod jobs;
pub mod opened;
pub mod pages;
pub mod people;
pub mod plans;
pub mod problem;
mod server;
pub mod site;
pub mod store;
pub mod tls;
pub mod trials;
pub mod verifications;

pub use server::{Access, App, Config, Server, WorkbenchError, default_data_folder, serve};
