//! What was done, kept: the store folder, the audit log and the history of configurations.
#![forbid(unsafe_code)]

pub mod audit;
pub mod definitions;
mod file;
pub mod folder;
pub mod history;
pub mod merkle;
pub mod note;
pub mod tile;

pub use audit::AuditLog;
pub use definitions::Definitions;
pub use folder::{Folder, FolderError};
pub use history::History;
