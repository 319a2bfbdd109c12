//! call-core
