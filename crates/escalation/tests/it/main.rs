//! Rules, decisions, complaints and documentation. One program, since linking costs more than compiling.

mod complaints;
mod decisions;
mod default_pack;
mod documentation;
mod kinds;
mod packs;
mod phrases;
mod replay;
