//! What was done, kept: the store folder, the audit log and the history of configurations.
#![forbid(unsafe_code)]

pub mod folder;

pub use folder::{Folder, FolderError};
