//! A Valkey server as tests see it: how it is reached, databases of one's own, and commands to arrange things with.
//! What must not come in: how it is started.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::postgres::encoded;

/// Where the number of the last database that a test has taken is kept.
const TAKEN: &str = "mosaic-tests:databases";

/// A server. It asks for a password.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Valkey {
    pub host: String,
    pub port: u16,
    pub tls_port: u16,
    pub password: String,
    /// The certificate, PEM, of the authority that vouches for `localhost` and `127.0.0.1`.
    pub ca: PathBuf,
}

impl Valkey {
    /// The URL of database 0, which is everybody's.
    pub fn url(&self) -> String {
        self.url_of(0)
    }

    /// The same over TLS.
    pub fn tls_url(&self) -> String {
        format!("rediss://:{}@{}:{}/0", encoded(&self.password), self.host, self.tls_port)
    }

    /// The URL of a database of one's own, empty.
    pub fn database(&self) -> String {
        let number = self.take_database();
        self.url_of(number.unwrap_or_else(|error| panic!("a database on {}:{}: {error}", self.host, self.port)))
    }

    fn url_of(&self, database: u32) -> String {
        format!("redis://:{}@{}:{}/{database}", encoded(&self.password), self.host, self.port)
    }

    fn take_database(&self) -> io::Result<u32> {
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<u32>().ok()).ok_or(io::ErrorKind::InvalidData);
        let there_are = number(self.try_execute(&["CONFIG", "GET", "databases"])?.get(1))?;
        if there_are < 64 {
            return Err(io::Error::other(format!("there are only {there_are}: start the server with --databases 4096")));
        }
        let taken = number(self.try_execute(&["INCR", TAKEN])?.first())?;
        // On a server that has seen many runs, the numbers begin anew.
        let own = taken % (there_are - 1) + 1;
        let mut connection = self.connect()?;
        connection.ask(&["SELECT", &own.to_string()])?;
        connection.ask(&["FLUSHDB"])?;
        Ok(own)
    }

    /// Runs a command in database 0, and answers its reply, an array's as many: `["CONFIG", "SET", "maxmemory", "1mb"]`. Takes a
    /// millisecond, and fails the test when it fails.
    pub fn execute(&self, command: &[&str]) -> Vec<String> {
        self.try_execute(command).unwrap_or_else(|error| panic!("{command:?}: {error}"))
    }

    pub(super) fn try_execute(&self, command: &[&str]) -> io::Result<Vec<String>> {
        self.connect()?.ask(command)
    }

    fn connect(&self) -> io::Result<Connection> {
        let patience = Duration::from_secs(5);
        let address = (self.host.as_str(), self.port).to_socket_addrs()?.next().ok_or(io::ErrorKind::NotFound)?;
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_read_timeout(Some(patience))?;
        stream.set_nodelay(true)?;
        let mut connection = Connection(BufReader::new(stream));
        connection.ask(&["AUTH", &self.password])?;
        Ok(connection)
    }
}

/// The protocol (RESP 2), as far as it is needed.
struct Connection(BufReader<TcpStream>);

impl Connection {
    fn ask(&mut self, command: &[&str]) -> io::Result<Vec<String>> {
        let mut request = format!("*{}\r\n", command.len());
        for word in command {
            request.push_str(&format!("${}\r\n{word}\r\n", word.len()));
        }
        self.0.get_mut().write_all(request.as_bytes())?;
        let mut reply = Vec::new();
        self.read(&mut reply)?;
        Ok(reply)
    }

    fn read(&mut self, reply: &mut Vec<String>) -> io::Result<()> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.trim_end();
        let (kind, rest) = line.split_at_checked(1).ok_or(io::ErrorKind::UnexpectedEof)?;
        let length = || rest.parse::<i64>().map_err(|_| io::Error::from(io::ErrorKind::InvalidData));
        match kind {
            "+" | ":" => reply.push(rest.to_owned()),
            "*" => {
                for _ in 0..length()? {
                    self.read(reply)?;
                }
            }
            "$" => {
                // A value that is not there has length -1.
                if let Ok(length) = usize::try_from(length()?) {
                    let mut value = vec![0; length + 2];
                    self.0.read_exact(&mut value)?;
                    value.truncate(length);
                    reply.push(String::from_utf8_lossy(&value).into_owned());
                }
            }
            _ => return Err(io::Error::other(line.to_owned())),
        }
        Ok(())
    }
}
