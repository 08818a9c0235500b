//! hardshell-host
