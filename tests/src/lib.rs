//! hardshell-tests
