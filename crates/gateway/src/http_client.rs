//! A small HTTP/1.1 client: one request per connection, event streams included. Enough to talk to ourselves.

use call_model::Secret;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A server that does not answer within this is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// Event streams carry a comment every 15 s; one that is quiet for longer is dead.
const QUIET: Duration = Duration::from_secs(45);
/// Longest answer kept.
const BODY_LIMIT: u64 = 4 << 20;

/// Where the gateway is, and the token to present.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    host: String,
    token: Secret,
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Server {
    /// `http://host[:port]`.
    pub(crate) fn new(url: &str, token: Secret) -> io::Result<Self> {
        let host =
            url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).filter(|host| !host.contains('/'));
        let Some(host) = host.filter(|host| !host.is_empty()) else {
            return Err(io::Error::other(format!(
                "`{url}` is not http://HOST:PORT (for https, tunnel it: ssh -L 8088:127.0.0.1:8088 HOST)"
            )));
        };
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let host = if has_port { host.to_owned() } else { format!("{host}:80") };
        Ok(Self { host, token })
    }

    /// The port, for finding a token left on this machine.
    pub(crate) fn port(&self) -> Option<u16> {
        self.host.rsplit_once(':').and_then(|(_, port)| port.parse().ok())
    }

    pub(crate) fn with_token(self, token: Secret) -> Self {
        Self { token, ..self }
    }

    pub(crate) fn get(&self, path: &str) -> io::Result<Answer> {
        self.ask("GET", path)?.whole()
    }

    pub(crate) fn post(&self, path: &str) -> io::Result<Answer> {
        self.ask("POST", path)?.whole()
    }

    /// Opens an event stream; any other answer than 200 is `Err(Ok(answer))` in spirit: see [`Stream::refused`].
    pub(crate) fn events(&self, path: &str) -> io::Result<Stream> {
        let response = self.ask("GET", path)?;
        response.reader.get_ref().set_read_timeout(Some(QUIET))?;
        Ok(Stream { response })
    }

    fn ask(&self, method: &str, path: &str) -> io::Result<Response> {
        let mut stream = TcpStream::connect(&self.host)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let length = if method == "POST" { "Content-Length: 0\r\n" } else { "" };
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\nConnection: close\r\n{length}\r\n",
            self.host,
            self.token.expose()
        );
        stream.write_all(head.as_bytes())?;
        Response::read(BufReader::new(stream))
    }
}

/// One server-sent event.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// An open event stream, or the refusal of one.
pub(crate) struct Stream {
    response: Response,
}

impl Stream {
    /// The answer, when it is not a stream.
    pub(crate) fn refused(&mut self) -> io::Result<Option<Answer>> {
        if self.response.status == 200 { Ok(None) } else { self.response.rest().map(Some) }
    }

    /// The next event; `None` when the server closed the stream.
    pub(crate) fn next(&mut self) -> io::Result<Option<Event>> {
        let mut event = Event::default();
        while let Some(line) = self.response.line()? {
            match line.split_once(':').map(|(field, value)| (field, value.strip_prefix(' ').unwrap_or(value))) {
                Some(("event", name)) => name.clone_into(&mut event.name),
                Some(("data", data)) => {
                    if !event.data.is_empty() {
                        event.data.push('\n');
                    }
                    event.data.push_str(data);
                }
                // A blank line ends an event; comments and other fields are not ours.
                None if line.is_empty() && !event.data.is_empty() => return Ok(Some(event)),
                _ => {}
            }
        }
        Ok(None)
    }
}

struct Response {
    status: u16,
    chunked: bool,
    /// Bytes of the current chunk not read yet.
    chunk_left: u64,
    pending: Vec<u8>,
    reader: BufReader<TcpStream>,
}

impl Response {
    fn read(mut reader: BufReader<TcpStream>) -> io::Result<Self> {
        let mut line = String::new();
        reader.by_ref().take(8192).read_line(&mut line)?;
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| io::Error::other("the server does not speak HTTP/1.1"))?;
        let mut chunked = false;
        for _ in 0..100 {
            line.clear();
            reader.by_ref().take(8192).read_line(&mut line)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            chunked |= header == "transfer-encoding: chunked";
        }
        Ok(Self { status, chunked, chunk_left: 0, pending: Vec::new(), reader })
    }

    fn whole(mut self) -> io::Result<Answer> {
        self.rest()
    }

    fn rest(&mut self) -> io::Result<Answer> {
        let mut body = Vec::new();
        if self.chunked {
            while (body.len() as u64) < BODY_LIMIT && self.more()? {
                body.append(&mut self.pending);
            }
        } else {
            self.reader.by_ref().take(BODY_LIMIT).read_to_end(&mut body)?;
        }
        Ok(Answer { status: self.status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// One line of the body, without its end; `None` at the end of the body.
    fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                return Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()));
            }
            if !self.more()? {
                return Ok(None);
            }
        }
    }

    /// Reads some more of the body into `pending`; false at its end.
    fn more(&mut self) -> io::Result<bool> {
        if self.chunked && self.chunk_left == 0 {
            self.chunk_left = self.chunk_size()?;
            if self.chunk_left == 0 {
                return Ok(false);
            }
        }
        let available = self.reader.fill_buf()?;
        let most = if self.chunked { usize::try_from(self.chunk_left).unwrap_or(usize::MAX) } else { usize::MAX };
        let len = available.len().min(most);
        if len == 0 {
            return Ok(false);
        }
        self.pending.extend_from_slice(&available[..len]);
        self.reader.consume(len);
        if self.chunked {
            self.chunk_left -= len as u64;
        }
        Ok(true)
    }

    fn chunk_size(&mut self) -> io::Result<u64> {
        let mut line = String::new();
        // The line break after the chunk before comes first.
        while line.trim().is_empty() {
            line.clear();
            if self.reader.by_ref().take(64).read_line(&mut line)? == 0 {
                return Ok(0);
            }
        }
        let size = line.trim().split(';').next().unwrap_or_default();
        u64::from_str_radix(size, 16).map_err(|_| io::Error::other("the server sent a malformed chunk"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn serve(answer: &'static str) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut request = [0; 1024];
            let _ = stream.read(&mut request).expect("a request");
            stream.write_all(answer.as_bytes()).expect("a reader");
        });
        Server::new(&url, Secret::new("t")).expect("a good url")
    }

    #[test]
    fn events_are_read_across_chunks() {
        let server = serve(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
             7\r\nevent: \r\n9\r\npop\ndata:\r\n8\r\n {\"a\":1}\r\n2\r\n\n\n\r\n0\r\n\r\n",
        );
        let mut stream = server.events("/").expect("an answer");
        assert!(stream.refused().expect("readable").is_none());
        let event = stream.next().expect("readable").expect("an event");
        assert_eq!(event, Event { name: "pop".to_owned(), data: "{\"a\":1}".to_owned() });
        assert_eq!(stream.next().expect("readable"), None);
    }

    #[test]
    fn a_refusal_keeps_its_text() {
        let server = serve("HTTP/1.1 401 Unauthorized\r\nContent-Length: 4\r\n\r\nnope");
        let answer = server.events("/").expect("an answer").refused().expect("readable").expect("a refusal");
        assert_eq!((answer.status, answer.body.as_str()), (401, "nope"));
    }

    #[test]
    fn other_schemes_are_refused_with_advice() {
        let error = Server::new("https://example.com", Secret::default()).expect_err("no TLS here");
        assert!(error.to_string().contains("ssh -L"), "{error}");
    }
}
