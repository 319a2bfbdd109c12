//! Each layer as a function of octets that must not panic, whatever they are: for the fuzzer in `tests/fuzz`, and for
//! the tests that replay what it kept.

mod dialogs;
mod media;
mod message;
mod pair;
mod sdp;
mod srtp;

pub use dialogs::{negotiation, transactions};
pub use media::media;
pub use message::message;
pub use sdp::description;
pub use srtp::{keying, srtp};

/// Octets as decisions; when they are used up, all are 0.
struct Dice<'a>(&'a [u8]);

impl<'a> Dice<'a> {
    fn octet(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// A number below `limit`, which is 1 to 256.
    fn below(&mut self, limit: usize) -> usize {
        usize::from(self.octet()) % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Octets themselves, as many as the next decision says.
    fn octets(&mut self) -> &'a [u8] {
        let length = usize::from(self.octet()).min(self.0.len());
        let (now, later) = self.0.split_at(length);
        self.0 = later;
        now
    }

    fn is_used_up(&self) -> bool {
        self.0.is_empty()
    }
}
