//! hardshell-service
