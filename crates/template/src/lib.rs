//! Go templates with sprig's functions, bounded in time and output.
#![forbid(unsafe_code)]
