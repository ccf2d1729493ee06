//! One file per middleware.
