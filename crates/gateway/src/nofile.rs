//! The limit of open files: a call holds up to six sockets.

/// Raises the soft limit to the hard one; what it is now.
#[allow(unsafe_code, reason = "getrlimit and setrlimit have no safe wrapper in std")]
pub fn raise() -> Option<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls only read or write the struct that is passed, which lives on this stack frame.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) != 0 {
            return None;
        }
        let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        if libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) == 0 {
            limit = raised;
        }
    }
    Some(limit.rlim_cur)
}

/// A warning when so many calls need more files than the limit allows.
pub fn warning(limit: u64, calls: usize) -> Option<String> {
    const PER_CALL: u64 = 6;
    const BASE: u64 = 256;
    let needed = u64::try_from(calls).unwrap_or(u64::MAX).saturating_mul(PER_CALL).saturating_add(BASE);
    (limit < needed).then(|| {
        let enough = limit.saturating_sub(BASE) / PER_CALL;
        format!(
            "limits.calls = {calls} may need {needed} open files and the limit is {limit} (about {enough} calls): raise it \
             (ulimit -n {needed}; LimitNOFILE= under systemd) or lower limits.calls"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_is_named_with_the_number_needed() {
        assert_eq!(warning(1_048_576, 1000), None);
        assert!(warning(1024, 1000).is_some_and(|text| text.contains("6256") && text.contains("128 calls")));
    }
}
