//! Legs, streams and codecs, packet by packet. One program, since linking costs more than compiling.

mod bots;
mod dtls;
mod feeds;
mod hostile;
mod ice;
mod keys;
mod legs;
mod mixing;
mod recording;
mod reports;
mod speech;
mod talk_off;
mod transcoding;
mod world;
