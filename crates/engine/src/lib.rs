//! Doors, routing, assembly: configuration in, HTTP traffic out.
