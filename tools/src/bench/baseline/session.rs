//! The asker's end of one session: HTTP/1.1 over TLS, one question after the other. Speaks with the baseline's
//! own server and with nobody else.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use super::tls::{ClientStream, Identities};

/// How long an answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// The longest answer, in bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// A session that is kept open.
pub(super) struct Session {
    stream: BufReader<ClientStream<TcpStream>>,
}

impl Session {
    pub(super) fn open(address: &str, identities: &Identities) -> Result<Self, String> {
        let stream = TcpStream::connect(address).map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        stream.set_read_timeout(Some(ANSWER_LIMIT)).map_err(|error| error.to_string())?;
        Ok(Self { stream: BufReader::new(identities.connect(stream)?) })
    }

    /// Asks and reads the answer as far as any asker would: it is JSON and holds records.
    pub(super) fn ask(&mut self, body: &[u8]) -> Result<(), String> {
        let mut request = format!(
            "POST /read HTTP/1.1\r\nHost: baseline\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        let stream = self.stream.get_mut();
        stream.write_all(&request).and_then(|()| stream.flush()).map_err(|error| error.to_string())?;
        let answer = self.answer()?;
        let answer: Value = serde_json::from_slice(&answer).map_err(|error| error.to_string())?;
        if answer.is_object() { Ok(()) } else { Err("the baseline answered with no records".to_owned()) }
    }

    fn answer(&mut self) -> Result<Vec<u8>, String> {
        let mut length = None;
        let mut is_first = true;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).map_err(|error| error.to_string())?;
            if is_first && !line.starts_with("HTTP/1.1 200") {
                return Err(format!("the baseline answered: {}", line.trim()));
            }
            is_first = false;
            if line.trim().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        let length = length.filter(|length| *length <= ANSWER_BYTES_MAX).ok_or("an answer without a length")?;
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).map_err(|error| error.to_string())?;
        Ok(body)
    }
}
