//! The rule language: lexer, parser, priority, matchers and the route index.
