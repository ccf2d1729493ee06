//! Configuration as data: nodes and spans, install and routing configuration, problems.
