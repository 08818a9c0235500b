//! A small HTTP/1.1 client on a plain socket: it can hold a stream open, drop it in the middle,
//! and send what no proper client would.

use serde_json::Value;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long a read may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's address, and what every request to it carries.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    headers: Vec<(String, String)>,
}

/// A response whose body has not been read yet.
pub struct Response {
    /// Status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    body: Body,
}

enum Body {
    Chunked {
        socket: BufReader<TcpStream>,
        left: usize,
        done: bool,
    },
    Sized {
        socket: BufReader<TcpStream>,
        left: u64,
    },
    Rest(BufReader<TcpStream>),
}

impl Client {
    /// A client for `http://HOST:PORT` or `HOST:PORT`.
    pub fn new(url: &str) -> Self {
        let address = url
            .trim_start_matches("http://")
            .trim_end_matches('/')
            .to_owned();
        Self {
            address,
            headers: Vec::new(),
        }
    }

    /// The same client with one more header on every request.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut client = self.clone();
        client
            .headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        client.headers.push((name.to_owned(), value.to_owned()));
        client
    }

    /// The same client with this bearer key.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        self.with("authorization", &format!("Bearer {key}"))
    }

    /// Sends a request and reads the head of its response.
    pub fn send(&self, method: &str, path: &str, body: &[u8]) -> io::Result<Response> {
        let mut socket = TcpStream::connect(&self.address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.set_nodelay(true)?;
        let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
        if !self
            .headers
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            head.push_str(&format!("host: {}\r\n", self.address));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        socket.write_all(head.as_bytes())?;
        // A server may answer, and end the connection, before it has read a body it refuses.
        let sent = socket.write_all(body);
        match read_head(BufReader::new(socket)) {
            Ok(response) => Ok(response),
            Err(error) => Err(sent.err().unwrap_or(error)),
        }
    }

    /// GET.
    pub fn get(&self, path: &str) -> Response {
        self.send("GET", path, b"")
            .unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// POST of JSON.
    pub fn post(&self, path: &str, body: &Value) -> Response {
        let client = self.with("content-type", "application/json");
        client
            .send("POST", path, body.to_string().as_bytes())
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }
}

impl Response {
    /// A header's first value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The whole body.
    pub fn bytes(mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.body
            .read_to_end(&mut bytes)
            .expect("the body comes to its end");
        bytes
    }

    /// The whole body as text.
    pub fn text(self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }

    /// The whole body as JSON; one that is not, as a JSON string.
    pub fn json(self) -> Value {
        let text = self.text();
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// The body as it comes.
    pub fn reader(self) -> BufReader<impl Read + Send> {
        BufReader::with_capacity(1024, self.body)
    }
}

fn read_head(mut socket: BufReader<TcpStream>) -> io::Result<Response> {
    let mut line = String::new();
    socket.read_line(&mut line)?;
    let status = line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("no HTTP response: {line:?}"),
            )
        })?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        socket.read_line(&mut line)?;
        let line = line.trim_end();
        if line.is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.to_lowercase(), value.trim().to_owned()));
        }
    }
    let header = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    };
    let body = if header("transfer-encoding") == Some("chunked") {
        Body::Chunked {
            socket,
            left: 0,
            done: false,
        }
    } else if let Some(length) = header("content-length").and_then(|length| length.parse().ok()) {
        Body::Sized {
            socket,
            left: length,
        }
    } else {
        Body::Rest(socket)
    };
    Ok(Response {
        status,
        headers,
        body,
    })
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Rest(socket) => socket.read(buffer),
            Self::Sized { socket, left } => {
                let read = socket.take(*left).read(buffer)?;
                *left -= read as u64;
                Ok(read)
            }
            Self::Chunked { socket, left, done } => {
                if *done {
                    return Ok(0);
                }
                if *left == 0 {
                    let mut line = String::new();
                    if socket.read_line(&mut line)? == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    let size = line.split(';').next().unwrap_or("").trim();
                    *left = usize::from_str_radix(size, 16)
                        .map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                    if *left == 0 {
                        *done = true;
                        return Ok(0);
                    }
                }
                let most = buffer.len().min(*left);
                let read = socket.read(&mut buffer[..most])?;
                if read == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *left -= read;
                if *left == 0 {
                    socket.read_line(&mut String::new())?;
                }
                Ok(read)
            }
        }
    }
}
