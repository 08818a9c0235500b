//! Guests for the kernel's tests: one binary each in src/bin.
