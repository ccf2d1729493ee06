//! The spellings of configuration, each read into a [`crate::node::Node`].
