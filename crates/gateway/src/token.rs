//! The admin token of a gateway that was configured without one: in a file that only its user can read.

use call_model::Secret;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// Leaves the token where [`find`] looks; the file's path.
pub(crate) fn leave(http_port: u16, token: &Secret) -> io::Result<PathBuf> {
    let directory = directory();
    match std::fs::DirBuilder::new().mode(0o700).create(&directory) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => ours(&directory)?,
        Err(error) => return Err(error),
    }
    let path = file(http_port);
    match std::fs::remove_file(&path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(token.expose().as_bytes())?;
    Ok(path)
}

/// The token that a gateway of this user on this machine left for this port.
pub(crate) fn find(http_port: u16) -> Option<Secret> {
    ours(&directory()).ok()?;
    let text = std::fs::read_to_string(file(http_port)).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| Secret::new(text))
}

/// Takes it away again.
pub(crate) fn remove(path: &std::path::Path) {
    // Gone already is as good.
    let _ = std::fs::remove_file(path);
}

fn directory() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty()) {
        Some(dir) => PathBuf::from(dir).join("warmline"),
        None => std::env::temp_dir().join(format!("warmline-{}", uid())),
    }
}

fn file(http_port: u16) -> PathBuf {
    directory().join(format!("admin-token-{http_port}"))
}

/// A directory that somebody else made first could hand us a token of theirs, or read ours.
fn ours(directory: &std::path::Path) -> io::Result<()> {
    let meta = std::fs::symlink_metadata(directory)?;
    if meta.is_dir() && meta.uid() == uid() && meta.mode() & 0o077 == 0 {
        Ok(())
    } else {
        Err(io::Error::other(format!("{} belongs to somebody else or is open to others", directory.display())))
    }
}

/// Of this process, by what the kernel says of it.
fn uid() -> u32 {
    std::fs::metadata("/proc/self").map_or(u32::MAX, |meta| meta.uid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_found_and_private() {
        let port = 1;
        let path = leave(port, &Secret::new("abc")).expect("a writable temporary directory");
        assert_eq!(std::fs::metadata(&path).expect("there").mode() & 0o777, 0o600);
        assert!(find(port).expect("there").matches("abc"));
        remove(&path);
        assert_eq!(find(port), None);
    }
}
