//! Who may call: the token of a caller and the host name it used. Both are checked before anything else.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use protocol::digest::Digest;

use super::Desk;
use super::error::Trouble;

/// The shortest token, in characters.
const TOKEN_CHARS_MIN: usize = 16;

/// The tokens of the callers, as digests.
#[derive(Clone, Debug)]
pub struct Tokens(Vec<Digest>);

/// Why the file of tokens was not taken.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// It cannot be read.
    #[error("{0}: {1}")]
    Unreadable(PathBuf, std::io::Error),
    /// Others than its owner may read it.
    #[error("{0}: 所有者以外が読めます。chmod 600 を実行してください / others may read it; run chmod 600")]
    Exposed(PathBuf),
    /// It has no token, or one that is too short.
    #[error("{0}: 16文字以上の合言葉を1行に1つ書いてください / write tokens of 16 characters or more, one a line")]
    Empty(PathBuf),
}

impl Tokens {
    /// Reads the file: one token a line; lines that begin with `#` are comments.
    ///
    /// # Errors
    /// [`TokenError`] saying what is wrong.
    pub fn read(path: &Path) -> Result<Self, TokenError> {
        let unreadable = |error| TokenError::Unreadable(path.to_owned(), error);
        let facts = std::fs::metadata(path).map_err(unreadable)?;
        if facts.mode() & 0o077 != 0 {
            return Err(TokenError::Exposed(path.to_owned()));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let lines: Vec<&str> =
            text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
        if lines.is_empty() || lines.iter().any(|line| line.len() < TOKEN_CHARS_MIN) {
            return Err(TokenError::Empty(path.to_owned()));
        }
        Ok(Self(lines.into_iter().map(|line| Digest::of(line.as_bytes())).collect()))
    }

    /// Whether `token` is one of them; takes the same time for every wrong one.
    fn know(&self, token: &str) -> bool {
        let given = Digest::of(token.as_bytes());
        self.0.iter().fold(false, |known, digest| {
            let differ = digest.as_bytes().iter().zip(given.as_bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
            known | (differ == 0)
        })
    }
}

/// Lets through only callers with a token.
pub(super) async fn check_token(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = header.and_then(|value| value.strip_prefix("Bearer "));
    if token.is_some_and(|token| desk.tokens.know(token.trim())) {
        next.run(request).await
    } else {
        Trouble::Token.into_response()
    }
}

/// Lets through only host names of ours: a page from elsewhere whose name was made to lead here has another.
pub(super) async fn check_host(State(desk): State<Arc<Desk>>, request: Request, next: Next) -> Response {
    let mut said = request.headers().get_all(HOST).iter();
    let host = said.next().and_then(|value| value.to_str().ok()).filter(|_host| said.next().is_none());
    // A target may name a host of its own, which then counts before the header.
    let target = request.uri().authority().map(|authority| authority.as_str());
    if host.is_some_and(|host| is_ours(host, &desk.hosts)) && target.is_none_or(|host| is_ours(host, &desk.hosts)) {
        next.run(request).await
    } else {
        Trouble::Host.into_response()
    }
}

fn is_ours(host: &str, hosts: &[String]) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, "")) => (address, None),
        Some((address, rest)) => (address, Some(rest.strip_prefix(':').unwrap_or(rest))),
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    if port.is_some_and(|port| port.parse::<u16>().is_err()) {
        return false;
    }
    // A literal loopback address cannot be rebound.
    let is_loopback = name.parse::<core::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    is_loopback || hosts.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn only_our_names_and_loopback_addresses_are_hosts() {
        let hosts = ["localhost".to_owned(), "node.example".to_owned()];
        for good in ["localhost", "LOCALHOST:8471", "127.0.0.1:1", "[::1]:8471", "node.example:80"] {
            assert!(is_ours(good, &hosts), "{good}");
        }
        for bad in [
            "",
            "evil.example:8471",
            "localhost.evil.example",
            "192.0.2.1:80",
            "[2001:db8::1]",
            "127.0.0.1.evil",
            "127.0.0.1:80.evil",
            "localhost:",
            "[::1].evil",
            "[::1]:x",
            "localhost:80:80",
        ] {
            assert!(!is_ours(bad, &hosts), "{bad}");
        }
    }

    #[test]
    fn a_token_is_known_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        std::fs::write(&path, "# callers\n0123456789abcdef\n\n  fedcba9876543210  \n").unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Tokens::read(&path), Err(TokenError::Exposed(_))));
        std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let tokens = Tokens::read(&path).unwrap();
        assert!(tokens.know("0123456789abcdef") && tokens.know("fedcba9876543210"));
        for wrong in ["", "# callers", "0123456789abcde", "0123456789abcdef0"] {
            assert!(!tokens.know(wrong), "{wrong}");
        }
        std::fs::write(&path, "short\n").unwrap();
        assert!(matches!(Tokens::read(&path), Err(TokenError::Empty(_))));
    }
}
