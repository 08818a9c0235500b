//! hardshell-scripted-model
