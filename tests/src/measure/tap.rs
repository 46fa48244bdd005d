//! A tap on the connections to a Postgres: what was prepared and run on them, as it was sent (the Postgres manual, section 55.7). So another
//! client can do the same, and the comparison is with what is, not with what somebody thinks it is. What must not come in: what is made of it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const BOOL: u32 = 16;
const INT8: u32 = 20;
const INT4: u32 = 23;
const UUID: u32 = 2950;

/// A statement, and what it was run with: each value as text, and its type.
#[derive(Debug, Clone)]
pub struct Statement {
    pub sql: String,
    pub values: Vec<(String, &'static str)>,
}

/// Forwards connections without TLS to a server, and remembers what was run over them.
pub struct Tap {
    address: SocketAddr,
    run: Arc<Mutex<Vec<Statement>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Tap {
    pub async fn start(host: &str, port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, target) = (listener.local_addr().unwrap(), (host.to_owned(), port));
        let run = Arc::<Mutex<Vec<Statement>>>::default();
        let heard = Arc::clone(&run);
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(forward(client, target.clone(), Arc::clone(&heard)));
            }
        });
        Self { address, run, listening }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The last statement that was run and holds this text.
    pub fn last(&self, text: &str) -> Option<Statement> {
        let run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        run.iter().rev().find(|statement| statement.sql.contains(text)).cloned()
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn forward(client: TcpStream, target: (String, u16), heard: Arc<Mutex<Vec<Statement>>>) -> std::io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    let up = async {
        let (mut listener, mut buffer) = (Listener::default(), vec![0; 64 << 10]);
        loop {
            let length = from_client.read(&mut buffer).await?;
            let read = buffer.get(..length).unwrap_or_default();
            if read.is_empty() {
                return to_server.shutdown().await;
            }
            listener.hear(read, &heard);
            to_server.write_all(read).await?;
        }
    };
    let down = async { tokio::io::copy(&mut from_server, &mut to_client).await.map(drop) };
    tokio::try_join!(up, down).map(drop)
}

/// What a client says, message by message.
#[derive(Default)]
struct Listener {
    unheard: Vec<u8>,
    is_started: bool,
    /// By name: the SQL, and the types of its parameters.
    prepared: std::collections::HashMap<Vec<u8>, (String, Vec<u32>)>,
}

impl Listener {
    fn hear(&mut self, said: &[u8], heard: &Mutex<Vec<Statement>>) {
        self.unheard.extend_from_slice(said);
        loop {
            // The first message has no type.
            let typed = usize::from(self.is_started);
            let Some(length) = self.unheard.get(typed..typed + 4) else { return };
            let length = typed + u32::from_be_bytes(length.try_into().unwrap()) as usize;
            if self.unheard.len() < length {
                return;
            }
            let rest = self.unheard.split_off(length);
            let message = std::mem::replace(&mut self.unheard, rest);
            if !self.is_started {
                self.is_started = true;
                continue;
            }
            let body = Reader(&message[5..]);
            match message[0] {
                b'P' => self.parse(body),
                b'B' => heard.lock().unwrap_or_else(PoisonError::into_inner).extend(self.bind(body)),
                _ => {}
            }
        }
    }

    fn parse(&mut self, mut body: Reader<'_>) {
        let (name, sql) = (body.text().to_vec(), String::from_utf8_lossy(body.text()).into_owned());
        let count = body.number(2);
        let types = (0..count).map(|_| body.number(4)).collect();
        self.prepared.insert(name, (sql, types));
    }

    /// Only values that are sent as bytes of the types which statements of reads take.
    fn bind(&self, mut body: Reader<'_>) -> Option<Statement> {
        let _portal = body.text();
        let (sql, types) = self.prepared.get(body.text())?;
        for _ in 0..body.number(2) {
            body.number(2);
        }
        let count = body.number(2);
        let values = (0..count as usize).map(|number| {
            let length = body.number(4);
            let value = if length == u32::MAX { None } else { Some(body.bytes(length as usize)) };
            Some(match (value?, types.get(number).copied()?) {
                ([flag], BOOL) => ((*flag != 0).to_string(), "bool"),
                (bytes, INT4) => (i32::from_be_bytes(bytes.try_into().ok()?).to_string(), "int4"),
                (bytes, INT8) => (i64::from_be_bytes(bytes.try_into().ok()?).to_string(), "int8"),
                (bytes, UUID) => (hex::encode(bytes), "uuid"),
                _ => return None,
            })
        });
        Some(Statement { sql: sql.clone(), values: values.collect::<Option<_>>()? })
    }
}

struct Reader<'m>(&'m [u8]);

impl<'m> Reader<'m> {
    fn bytes(&mut self, count: usize) -> &'m [u8] {
        let (bytes, rest) = self.0.split_at_checked(count).unwrap_or((&[], &[]));
        self.0 = rest;
        bytes
    }

    fn number(&mut self, bytes: usize) -> u32 {
        self.bytes(bytes).iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
    }

    /// Up to a zero.
    fn text(&mut self) -> &'m [u8] {
        let length = self.0.iter().position(|byte| *byte == 0).unwrap_or(self.0.len());
        let text = self.bytes(length);
        self.bytes(1);
        text
    }
}
