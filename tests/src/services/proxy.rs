//! A network that misbehaves: a proxy whose connections break or fall silent, and an address that does not answer.
//! What must not come in: what is spoken over it.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Forwards connections to a server. It lives on the runtime it was started on; dropped, it is gone with all its connections.
pub struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    listening: JoinHandle<()>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct State {
    /// Nothing is passed on, either way.
    silent: bool,
    /// How often everything was cut.
    cuts: u64,
    /// How often everything that was open was abandoned.
    abandoned: u64,
}

impl State {
    /// Whether a connection passes anything on that was opened when so many had been abandoned.
    fn passes(&self, abandoned: u64) -> bool {
        !self.silent && self.abandoned == abandoned
    }
}

impl Proxy {
    /// A proxy for `host:port`.
    pub async fn start(host: &str, port: u16) -> Self {
        let target = (host.to_owned(), port);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (state, watched) = watch::channel(State { silent: false, cuts: 0, abandoned: 0 });
        let listening = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(connection(client, target.clone(), watched.clone()));
            }
        });
        Self { address, state, listening }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Breaks all connections, wherever they are in what they say. New ones are taken as before.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.cuts += 1);
    }

    /// Connections that are open now stay so and say nothing any more; new ones are as before. So it is when an address moves to
    /// another machine, or a firewall forgets what it has let pass.
    pub fn abandon(&self) {
        self.state.send_modify(|state| state.abandoned += 1);
    }

    /// From now on nothing passes: connections stay open and say nothing, and new ones are taken and get no answer.
    pub fn black_hole(&self) {
        self.state.send_modify(|state| state.silent = true);
    }

    /// Passes everything on again, also what was said meanwhile.
    pub fn resume(&self) {
        self.state.send_modify(|state| state.silent = false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // The connections end with `state`.
        self.listening.abort();
    }
}

async fn connection(client: TcpStream, target: (String, u16), mut state: watch::Receiver<State>) {
    let State { cuts, abandoned, .. } = *state.borrow_and_update();
    let mut both = state.clone();
    let forward = async {
        // What is told to nobody is not even connected.
        state.wait_for(|state| state.passes(abandoned)).await.map_err(io::Error::other)?;
        let server = TcpStream::connect(target).await?;
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::try_join!(pass(from_client, to_server, state.clone(), abandoned), pass(from_server, to_client, state.clone(), abandoned))
            .map(drop)
    };
    tokio::select! {
        _ = forward => {}
        _ = both.wait_for(|state| state.cuts != cuts) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut state: watch::Receiver<State>, abandoned: u64) -> io::Result<()> {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let length = from.read(&mut buffer).await?;
        state.wait_for(|state| state.passes(abandoned)).await.map_err(io::Error::other)?;
        match buffer.get(..length) {
            Some([]) | None => return to.shutdown().await,
            Some(read) => to.write_all(read).await?,
        }
    }
}

/// An address on this machine that does not answer a connect, neither yes nor no, as a host behind a firewall does.
pub struct Unanswered {
    address: SocketAddr,
    _listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Unanswered {
    /// A listener that takes nobody, with a queue that is full: the system drops what comes further.
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(stream) = tokio::time::timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
            queued.push(stream.unwrap());
        }
        Self { address, _listener: listener, _queued: queued }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}
