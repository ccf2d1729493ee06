//! The read API, metrics exposition, access log, status page.
