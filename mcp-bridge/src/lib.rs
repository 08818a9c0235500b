//! hardshell-mcp
