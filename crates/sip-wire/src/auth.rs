//! `WWW-Authenticate`, `Proxy-Authenticate`, `Authorization` and `Proxy-Authorization` of the Digest scheme (RFC 7616,
//! RFC 8760), as values. Nothing is computed here.

use std::fmt;

use crate::error::ParseError;
use crate::params::Params;
use crate::text;

/// The hash of a digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DigestAlgorithm {
    /// RFC 3261's, and what most peers know.
    Md5,
    /// RFC 8760's.
    Sha256,
}

impl DigestAlgorithm {
    /// As written in the header.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    fn of(params: &Params) -> Result<Self, ParseError> {
        match params.get_unquoted("algorithm").as_deref() {
            None => Ok(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Ok(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Ok(Self::Sha256),
            Some(_) => Err(ParseError("unknown digest algorithm")),
        }
    }
}

/// A challenge we can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestChallenge {
    /// Whose user is asked for.
    pub realm: String,
    /// To be hashed along.
    pub nonce: String,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// The hash.
    pub algorithm: DigestAlgorithm,
    /// `qop=auth` is on offer; without it the peer is of RFC 2069.
    pub counts: bool,
    /// The digest was right and its nonce too old.
    pub stale: bool,
}

impl DigestChallenge {
    /// Reads one header value.
    ///
    /// # Errors
    /// Also for a scheme, hash or quality of protection that we do not know.
    pub fn parse(text: &str) -> Result<DigestChallenge, ParseError> {
        let params = digest_params(text)?;
        let qop = params.get_unquoted("qop");
        let counts = match &qop {
            None => false,
            Some(list) if list.split(',').any(|one| one.trim().eq_ignore_ascii_case("auth")) => true,
            Some(_) => return Err(ParseError("unknown quality of protection")),
        };
        Ok(DigestChallenge {
            realm: wanted(&params, "realm")?,
            nonce: wanted(&params, "nonce")?,
            opaque: params.get_unquoted("opaque"),
            algorithm: DigestAlgorithm::of(&params)?,
            counts,
            stale: params.get_unquoted("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

impl fmt::Display for DigestChallenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest realm={}, nonce={}", text::quote(&self.realm), text::quote(&self.nonce))?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", text::quote(opaque))?;
        }
        if self.stale {
            f.write_str(", stale=true")?;
        }
        write!(f, ", algorithm={}", self.algorithm.as_str())?;
        if self.counts { f.write_str(", qop=\"auth\"") } else { Ok(()) }
    }
}

/// The answer to a challenge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DigestResponse {
    /// Who.
    pub username: String,
    /// Copied from the challenge.
    pub realm: String,
    /// Copied from the challenge.
    pub nonce: String,
    /// The Request-URI, as it was hashed.
    pub uri: String,
    /// The hash, in hexadecimal.
    pub response: String,
    /// The hash's kind.
    pub algorithm: DigestAlgorithm,
    /// Copied from the challenge.
    pub opaque: Option<String>,
    /// With `qop=auth`: how often the nonce was used, and the sender's own part of what was hashed.
    pub counted: Option<(u32, String)>,
}

impl DigestResponse {
    /// Reads one header value.
    ///
    /// # Errors
    /// Also for a scheme, hash or quality of protection that we do not know.
    pub fn parse(text: &str) -> Result<DigestResponse, ParseError> {
        let params = digest_params(text)?;
        let counted = match params.get_unquoted("qop") {
            None => None,
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let count = wanted(&params, "nc")?;
                let plain = count.len() == 8 && count.bytes().all(|byte| byte.is_ascii_hexdigit());
                let count = if plain { u32::from_str_radix(&count, 16).ok() } else { None };
                Some((count.ok_or(ParseError("nonce count is not eight digits"))?, wanted(&params, "cnonce")?))
            }
            Some(_) => return Err(ParseError("unknown quality of protection")),
        };
        Ok(DigestResponse {
            username: wanted(&params, "username")?,
            realm: wanted(&params, "realm")?,
            nonce: wanted(&params, "nonce")?,
            uri: wanted(&params, "uri")?,
            response: wanted(&params, "response")?,
            algorithm: DigestAlgorithm::of(&params)?,
            opaque: params.get_unquoted("opaque"),
            counted,
        })
    }
}

impl fmt::Display for DigestResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [username, realm, nonce, uri] =
            [&self.username, &self.realm, &self.nonce, &self.uri].map(|value| text::quote(value));
        write!(f, "Digest username={username}, realm={realm}, nonce={nonce}, uri={uri}")?;
        write!(f, ", response={}, algorithm={}", text::quote(&self.response), self.algorithm.as_str())?;
        if let Some(opaque) = &self.opaque {
            write!(f, ", opaque={}", text::quote(opaque))?;
        }
        match &self.counted {
            Some((count, own)) => write!(f, ", qop=auth, nc={count:08x}, cnonce={}", text::quote(own)),
            None => Ok(()),
        }
    }
}

fn digest_params(text: &str) -> Result<Params, ParseError> {
    let text = text.trim_matches(text::is_lws);
    let (scheme, params) = text.split_once(text::is_lws).ok_or(ParseError("no parameters"))?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return Err(ParseError("unknown scheme"));
    }
    Params::parse_list(params)
}

fn wanted(params: &Params, name: &str) -> Result<String, ParseError> {
    params.get_unquoted(name).ok_or(ParseError("a digest parameter is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &str = "Digest realm=\"carrier, \\\"north\\\"\", nonce=\"a=b,c\", opaque=\"o\", stale=true, \
        algorithm=SHA-256, qop=\"auth\"";
    const RESPONSE: &str = "Digest username=\"acct\", realm=\"carrier\", nonce=\"n\", uri=\"sip:a@b;x=y\", \
        response=\"0123\", algorithm=MD5, qop=auth, nc=0000001f, cnonce=\"c\"";

    #[test]
    fn what_is_written_is_what_was_read() {
        assert_eq!(DigestChallenge::parse(CHALLENGE).unwrap().to_string(), CHALLENGE);
        assert_eq!(DigestResponse::parse(RESPONSE).unwrap().to_string(), RESPONSE);
        assert_eq!(DigestResponse::parse(RESPONSE).unwrap().counted, Some((31, "c".to_owned())));
    }

    #[test]
    fn what_peers_leave_out_or_write_otherwise_is_read() {
        let bare = DigestChallenge::parse("digest  nonce=n ,realm=\"r\"").unwrap();
        assert_eq!((bare.algorithm, bare.counts, bare.stale), (DigestAlgorithm::Md5, false, false));
        let both = DigestChallenge::parse("Digest realm=\"r\",nonce=\"n\",qop=\"auth-int, auth\",algorithm=md5");
        assert!(both.unwrap().counts);
    }

    #[test]
    fn what_we_cannot_answer_is_an_error() {
        for text in [
            "",
            "Digest",
            "Basic realm=\"r\"",
            "Digest realm=\"r\"",
            "Digest nonce=\"n\"",
            "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-512-256",
            "Digest realm=\"r\", nonce=\"n\", algorithm=MD5-sess",
            "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
            "Digest realm=\"r, nonce=\"n\"",
            "Digest realm=\"r\" nonce=\"n\"",
        ] {
            assert!(DigestChallenge::parse(text).is_err(), "{text}");
        }
        for (from, to) in [("nc=0000001f", "nc=1f"), ("nc=0000001f", "nc=+000001f"), (", cnonce=\"c\"", "")] {
            assert!(DigestResponse::parse(&RESPONSE.replace(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn damaged_values_break_nothing() {
        for text in [CHALLENGE, RESPONSE] {
            for end in 0..text.len() {
                let _ = (DigestChallenge::parse(&text[..end]), DigestResponse::parse(&text[..end]));
            }
        }
    }
}
