//! call-trace
