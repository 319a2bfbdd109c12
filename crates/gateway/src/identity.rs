//! Who we are in DTLS, as long as this process lives.

use dtls::Identity;
use std::sync::{Arc, OnceLock};

/// The one certificate of this process, made when it is first asked for.
pub(crate) fn identity() -> Result<&'static Arc<Identity>, &'static str> {
    static IDENTITY: OnceLock<Result<Arc<Identity>, String>> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::new().map(Arc::new)).as_ref().map_err(String::as_str)
}
