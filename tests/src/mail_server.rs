//! A mail server of our own under the notifier: real SMTP over TCP, with STARTTLS and AUTH, that
//! keeps what it takes. It can be down, refuse receivers, and stay silent after it has taken a
//! message.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpSocket};
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Longest line and longest message of a client.
const LINE_BYTES_MAX: usize = 4096;
const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;
const BACKLOG: u32 = 128;

/// A message as it was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Header and body, dots unstuffed.
    pub data: String,
    /// It came over TLS, and from somebody who had logged in.
    pub encrypted: bool,
    pub user: Option<String>,
}

impl Mail {
    /// Value of a header of the message itself, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        let head = self.data.split("\r\n\r\n").next()?.replace("\r\n ", " ");
        let value = |line: &str| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        };
        head.lines().find_map(value)
    }
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Mail>,
    /// Receivers, and the reply that they get.
    refused: Vec<(String, &'static str)>,
    silent: bool,
    greylist: Option<BTreeSet<String>>,
}

/// Serves until dropped, on the same port after each [`MailServer::up`].
#[derive(Debug)]
pub struct MailServer {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    tls: Option<TlsAcceptorDebug>,
    serving: Option<JoinHandle<()>>,
}

#[derive(Clone)]
struct TlsAcceptorDebug(TlsAcceptor);

impl std::fmt::Debug for TlsAcceptorDebug {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TlsAcceptor")
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MailServer {
    /// Serves at once; with `tls` it offers STARTTLS and takes nothing before it.
    ///
    /// # Errors
    /// There is no port.
    pub async fn start(tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mut server =
            Self { address, state: Arc::default(), tls: tls.map(TlsAcceptorDebug), serving: None };
        server.serve(listener);
        Ok(server)
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Everything taken so far.
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.state).mails.clone()
    }

    /// From now on nobody listens, and open connections break.
    pub async fn down(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
            // Only when it has ended is its socket closed.
            drop(serving.await);
        }
    }

    /// # Errors
    /// Somebody else has taken the port.
    pub fn up(&mut self) -> io::Result<()> {
        let socket = TcpSocket::new_v4()?;
        socket.set_reuseaddr(true)?;
        socket.bind(self.address)?;
        let listener = socket.listen(BACKLOG)?;
        self.serve(listener);
        Ok(())
    }

    /// Answers this to a receiver, such as `550 5.1.1 no such mailbox`.
    pub fn refuse(&self, receiver: &str, reply: &'static str) {
        lock(&self.state).refused.push((receiver.to_owned(), reply));
    }

    /// The first message of each sender to a receiver is deferred.
    pub fn greylist(&self) {
        lock(&self.state).greylist = Some(BTreeSet::new());
    }

    /// Messages are taken, and the reply that says so is not sent.
    pub fn silent(&self, silent: bool) {
        lock(&self.state).silent = silent;
    }

    fn serve(&mut self, listener: TcpListener) {
        let (state, tls) = (Arc::clone(&self.state), self.tls.clone());
        self.serving = Some(tokio::spawn(async move {
            // Ends with this task: the sessions are part of the server.
            let mut sessions = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let Ok((stream, _)) = accepted else { return };
                        let (state, tls) = (Arc::clone(&state), tls.clone());
                        sessions.spawn(async move {
                            // A client that goes away is no business of the server's.
                            drop(welcome(stream, state, tls.map(|tls| tls.0)).await);
                        });
                    }
                    Some(_) = sessions.join_next() => {}
                }
            }
        }));
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }
}

/// Why a session went on no longer on this stream.
enum Left<S> {
    Quit,
    StartTls(S),
}

async fn welcome(
    stream: tokio::net::TcpStream,
    state: Arc<Mutex<State>>,
    tls: Option<TlsAcceptor>,
) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    say(&mut stream, "220 mail.test ESMTP").await?;
    let session = Session { state: Arc::clone(&state), offers_tls: tls.is_some(), secure: false };
    if let Left::StartTls(stream) = session.run(stream).await?
        && let Some(tls) = tls
    {
        // What a client sent before the handshake is thrown away, as it must be.
        let stream = tls.accept(stream.into_inner()).await?;
        let session = Session { state, offers_tls: false, secure: true };
        drop(session.run(BufReader::new(stream)).await?);
    }
    Ok(())
}

struct Session {
    state: Arc<Mutex<State>>,
    offers_tls: bool,
    secure: bool,
}

#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

impl Session {
    async fn run<S>(&self, mut stream: BufReader<S>) -> io::Result<Left<BufReader<S>>>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (mut envelope, mut user) = (Envelope::default(), None);
        loop {
            let line = read_line(&mut stream).await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" | "HELO" => self.greet(&mut stream).await?,
                "STARTTLS" if self.offers_tls => {
                    say(&mut stream, "220 go ahead").await?;
                    return Ok(Left::StartTls(stream));
                }
                "AUTH" if self.secure => {
                    let (reply, who) = login(&line);
                    user = who;
                    say(&mut stream, reply).await?;
                }
                "MAIL" if self.offers_tls => say(&mut stream, "530 5.7.0 STARTTLS first").await?,
                "MAIL" => {
                    envelope = Envelope { from: Some(path(&line)), to: Vec::new() };
                    say(&mut stream, "250 2.1.0 ok").await?;
                }
                "RCPT" => {
                    let to = path(&line);
                    let reply = self.reply_to(&to);
                    if reply.starts_with("250") {
                        envelope.to.push(to);
                    }
                    say(&mut stream, reply).await?;
                }
                "DATA" if envelope.to.is_empty() => say(&mut stream, "503 5.5.1 to whom?").await?,
                "DATA" => {
                    say(&mut stream, "354 go on").await?;
                    let data = read_message(&mut stream).await?;
                    let Envelope { from, to } = std::mem::take(&mut envelope);
                    let from = from.unwrap_or_default();
                    let encrypted = self.secure;
                    let mail = Mail { from, to, data, encrypted, user: user.clone() };
                    let silent = self.keep(mail);
                    if silent {
                        std::future::pending::<()>().await;
                    }
                    say(&mut stream, "250 2.0.0 taken").await?;
                }
                "RSET" | "NOOP" => say(&mut stream, "250 2.0.0 ok").await?,
                "QUIT" => {
                    say(&mut stream, "221 2.0.0 bye").await?;
                    return Ok(Left::Quit);
                }
                _ => say(&mut stream, "502 5.5.2 what?").await?,
            }
        }
    }

    async fn greet<S>(&self, stream: &mut BufReader<S>) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        say(stream, "250-mail.test").await?;
        if self.offers_tls {
            say(stream, "250-STARTTLS").await?;
        }
        if self.secure {
            say(stream, "250-AUTH PLAIN").await?;
        }
        say(stream, "250 8BITMIME").await
    }

    fn keep(&self, mail: Mail) -> bool {
        let mut state = lock(&self.state);
        state.mails.push(mail);
        state.silent
    }

    fn reply_to(&self, to: &str) -> &'static str {
        let mut state = lock(&self.state);
        if let Some((_, reply)) = state.refused.iter().find(|(receiver, _)| receiver == to) {
            return reply;
        }
        let is_new = state.greylist.as_mut().is_some_and(|seen| seen.insert(to.to_owned()));
        if is_new { "451 4.7.1 come back later" } else { "250 2.1.5 ok" }
    }
}

/// `AUTH PLAIN <base64 of \0user\0password>`: whoever has the password `correct` is let in.
fn login(line: &str) -> (&'static str, Option<String>) {
    let word = line.split(' ').nth(2).unwrap_or_default();
    let bytes = data_encoding::BASE64.decode(word.as_bytes()).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut parts = text.split('\0').skip(1);
    match (parts.next(), parts.next()) {
        (Some(user), Some("correct")) => ("235 2.7.0 welcome", Some(user.to_owned())),
        _ => ("535 5.7.8 who?", None),
    }
}

/// What stands between `<` and `>`.
fn path(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map(|(path, _)| path.to_owned()).unwrap_or_default()
}

async fn say<S>(stream: &mut BufReader<S>, line: &str) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(format!("{line}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn read_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut bytes = Vec::new();
    let read = stream.read_until(b'\n', &mut bytes).await?;
    if read == 0 || bytes.len() > LINE_BYTES_MAX {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

async fn read_message<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> io::Result<String> {
    let mut message = String::new();
    while message.len() <= MESSAGE_BYTES_MAX {
        let line = read_line(stream).await?;
        if line == "." {
            return Ok(message);
        }
        message.push_str(line.strip_prefix('.').unwrap_or(&line));
        message.push_str("\r\n");
    }
    Err(io::ErrorKind::InvalidData.into())
}
