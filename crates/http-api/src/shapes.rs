//! The serialised shapes: what leaves the process as JSON.
