//! Real peers against the binary. One program, since linking costs more than compiling.

mod baresip;
mod desk_audio;
mod desk_page;
mod interfaces;
mod ipv6;
mod linphone;
mod pipecat;
mod recording;
mod registering;
mod rsipstack;
mod sipp;
mod siprec;
mod tshark;
