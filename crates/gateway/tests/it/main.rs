//! The running gateway, over sockets. One program, since linking costs more than compiling.

mod callbacks;
mod cli;
mod demo;
mod listen;
mod names;
mod running;
mod streams;
mod support;
mod verify;
