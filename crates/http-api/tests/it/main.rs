//! The interface as its clients use it. One program, since linking costs more than compiling.

mod desk;
mod handoffs;
mod operators;
mod schema;
mod sessions;
mod support;
mod words;
