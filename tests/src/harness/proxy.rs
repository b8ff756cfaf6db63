//! A bad network between one process and its server: TCP passed on with delay, held back in one
//! direction or both, reset, half closed, or cut in the middle of a message.
//!
//! What is held back is kept and passed on later, as a network that comes back does: so a publish
//! whose sender has long given up may still arrive.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::Instant;

use super::HarnessError;

/// Read at once and passed on as one piece.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// No limit on the bytes that may still pass.
const UNLIMITED: u64 = u64::MAX;

/// One way through the proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the client to the server.
    Up,
    /// From the server to the client.
    Down,
}

/// How the network is right now; the default is a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Weather {
    hole_up: bool,
    hole_down: bool,
    latency: Duration,
    /// Every connection of an older generation is reset.
    generation: u64,
    /// Every connection of an older one no longer passes on the client's bytes, and says so.
    half_closed: u64,
}

impl Weather {
    fn holds(&self, direction: Direction) -> bool {
        match direction {
            Direction::Up => self.hole_up,
            Direction::Down => self.hole_down,
        }
    }
}

/// Listens on a port of its own until dropped.
#[derive(Debug)]
pub struct FaultProxy {
    address: SocketAddr,
    weather: watch::Sender<Weather>,
    /// Bytes that may still pass, either way, before every connection is reset.
    left: Arc<AtomicU64>,
    accepting: JoinHandle<()>,
}

/// One proxy for each client of the server.
#[derive(Debug)]
pub struct Proxies {
    pub broker: FaultProxy,
    pub partners: FaultProxy,
}

impl Proxies {
    pub(super) async fn start(server_port: u16) -> Result<Self, HarnessError> {
        let broker = FaultProxy::start(server_port).await?;
        Ok(Self { broker, partners: FaultProxy::start(server_port).await? })
    }
}

impl FaultProxy {
    /// To the server on a port of this machine, whether it listens yet or not.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start(server_port: u16) -> Result<Self, HarnessError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(HarnessError::io("a port for the fault proxy"))?;
        let address = listener.local_addr().map_err(HarnessError::io("the proxy's own port"))?;
        let (weather, forecast) = watch::channel(Weather::default());
        let left = Arc::new(AtomicU64::new(UNLIMITED));
        let server = SocketAddr::from((Ipv4Addr::LOCALHOST, server_port));
        let accepting = tokio::spawn(accept(listener, server, forecast, Arc::clone(&left)));
        Ok(Self { address, weather, left, accepting })
    }

    /// What the client connects to instead of the server.
    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// From now on nothing passes this way; connections stay open.
    pub fn black_hole(&self, direction: Direction) {
        self.change(|weather| match direction {
            Direction::Up => weather.hole_up = true,
            Direction::Down => weather.hole_down = true,
        });
    }

    /// Every piece takes so much longer, each way.
    pub fn delay(&self, latency: Duration) {
        self.change(|weather| weather.latency = latency);
    }

    /// Resets every connection there is; new ones are welcome.
    pub fn reset(&self) {
        self.change(|weather| weather.generation += 1);
    }

    /// On every connection there is, the client's way ends; the server's goes on.
    pub fn half_close(&self) {
        self.change(|weather| weather.half_closed += 1);
    }

    /// After so many more bytes, in the middle of whatever is being said, everything is reset.
    pub fn cut_after(&self, bytes: u64) {
        self.left.store(bytes, Ordering::Relaxed);
    }

    /// The weather is good again; what was held back arrives now.
    pub fn heal(&self) {
        self.left.store(UNLIMITED, Ordering::Relaxed);
        self.change(|weather| {
            let Weather { generation, half_closed, .. } = *weather;
            *weather = Weather { generation, half_closed, ..Weather::default() };
        });
    }

    fn change(&self, change: impl FnOnce(&mut Weather)) {
        self.weather.send_modify(change);
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Its connections end with it.
        self.accepting.abort();
    }
}

async fn accept(
    listener: TcpListener,
    server: SocketAddr,
    weather: watch::Receiver<Weather>,
    left: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A client that is gone already, or no descriptor left: it tries again.
                let Ok((client, _)) = accepted else { continue };
                connections.spawn(connection(client, server, weather.clone(), Arc::clone(&left)));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn connection(
    mut client: TcpStream,
    server: SocketAddr,
    mut weather: watch::Receiver<Weather>,
    left: Arc<AtomicU64>,
) {
    let Ok(mut server) = TcpStream::connect(server).await else { return };
    // Small messages of a dialogue: waiting to fill a packet would be latency nobody asked for.
    drop((client.set_nodelay(true), server.set_nodelay(true)));
    let born = *weather.borrow_and_update();
    let way = |direction| Way { direction, born, weather: weather.clone(), left: &left };
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        let up = pin!(way(Direction::Up).pass_on(from_client, to_server));
        let down = pin!(way(Direction::Down).pass_on(from_server, to_client));
        // The end of one way is passed on and the other goes on; a cut ends both.
        match select(up, down).await {
            Either::Left((End::Finished, down)) => down.await,
            Either::Right((End::Finished, up)) => up.await,
            Either::Left((End::Cut, _)) | Either::Right((End::Cut, _)) => End::Cut,
        }
    };
    if end == End::Cut {
        // A reset, not an orderly end. A socket that is closed already needs none.
        drop((client.set_zero_linger(), server.set_zero_linger()));
    }
}

/// How one way of a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Finished,
    Cut,
}

/// Whoever listens is told of an orderly end.
async fn finish(end: End, to: &mut WriteHalf<'_>) -> End {
    if end == End::Finished {
        // A listener that is gone needs no telling.
        drop(to.shutdown().await);
    }
    end
}

struct Way<'a> {
    direction: Direction,
    /// The weather in which the connection was made.
    born: Weather,
    weather: watch::Receiver<Weather>,
    left: &'a AtomicU64,
}

impl Way<'_> {
    async fn pass_on(mut self, mut from: ReadHalf<'_>, mut to: WriteHalf<'_>) -> End {
        let mut piece = vec![0; PIECE_BYTES_MAX];
        loop {
            let read = tokio::select! {
                read = from.read(&mut piece) => read,
                end = self.ends() => return finish(end, &mut to).await,
            };
            let Ok(bytes @ 1..) = read else { return finish(End::Finished, &mut to).await };
            if let Some(end) = self.hold(Instant::now()).await {
                return finish(end, &mut to).await;
            }
            let may_pass = self.take(bytes);
            if to.write_all(&piece[..may_pass]).await.is_err() {
                return End::Finished;
            }
            if may_pass < bytes {
                return End::Cut;
            }
        }
    }

    /// Until the weather ends this way.
    async fn ends(&mut self) -> End {
        loop {
            if let Some(end) = self.verdict() {
                return end;
            }
            if self.weather.changed().await.is_err() {
                return End::Cut;
            }
        }
    }

    fn verdict(&self) -> Option<End> {
        let weather = *self.weather.borrow();
        if weather.generation > self.born.generation {
            return Some(End::Cut);
        }
        let half = weather.half_closed > self.born.half_closed;
        (half && self.direction == Direction::Up).then_some(End::Finished)
    }

    /// Waits until what was read may arrive; an end if it never will.
    async fn hold(&mut self, read_at: Instant) -> Option<End> {
        let arrives = read_at + self.weather.borrow().latency;
        loop {
            if let Some(end) = self.verdict() {
                return Some(end);
            }
            let held = self.weather.borrow_and_update().holds(self.direction);
            let late = Instant::now() >= arrives;
            if late && !held {
                return None;
            }
            tokio::select! {
                changed = self.weather.changed() => if changed.is_err() { return Some(End::Cut) },
                () = tokio::time::sleep_until(arrives), if !late => {}
            }
        }
    }

    /// How many of the bytes may still pass.
    fn take(&self, bytes: usize) -> usize {
        let wanted = bytes as u64;
        let took = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
            (left != UNLIMITED).then(|| left.saturating_sub(wanted))
        });
        took.map_or(bytes, |left| bytes.min(usize::try_from(left).unwrap_or(usize::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(20);
    /// Long enough to be sure that nothing comes; a byte on this machine takes microseconds.
    const NOTHING: Duration = Duration::from_millis(150);

    /// A client and the server's end of its connection, through a proxy.
    async fn connected() -> (FaultProxy, TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let proxy = FaultProxy::start(listener.local_addr().unwrap().port()).await.unwrap();
        let mut client = TcpStream::connect(proxy.address).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        exchange(&mut client, &mut server).await;
        (proxy, client, server)
    }

    async fn exchange(from: &mut TcpStream, to: &mut TcpStream) {
        from.write_all(b"hello").await.unwrap();
        assert_eq!(hear(to).await.unwrap(), b"hello");
    }

    async fn hear(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
        let mut bytes = vec![0; 100];
        let heard = tokio::time::timeout(SOON, stream.read(&mut bytes)).await.unwrap();
        bytes.truncate(heard?);
        Ok(bytes)
    }

    async fn hears_nothing(stream: &mut TcpStream) {
        let mut bytes = [0; 1];
        let heard = tokio::time::timeout(NOTHING, stream.read(&mut bytes)).await;
        assert!(heard.is_err(), "{heard:?}");
    }

    #[tokio::test]
    async fn a_black_hole_swallows_one_direction_and_gives_it_back_when_it_heals() {
        let (proxy, mut client, mut server) = connected().await;
        proxy.black_hole(Direction::Down);
        exchange(&mut client, &mut server).await;
        server.write_all(b"ack").await.unwrap();
        hears_nothing(&mut client).await;
        proxy.heal();
        assert_eq!(hear(&mut client).await.unwrap(), b"ack");
    }

    #[tokio::test]
    async fn what_a_client_said_before_it_gave_up_still_arrives() {
        let (proxy, mut client, mut server) = connected().await;
        proxy.black_hole(Direction::Up);
        client.write_all(b"ghost").await.unwrap();
        hears_nothing(&mut server).await;
        drop(client);
        proxy.heal();
        assert_eq!(hear(&mut server).await.unwrap(), b"ghost");
        assert_eq!(hear(&mut server).await.unwrap(), b"");
    }

    #[tokio::test]
    async fn a_reset_is_an_error_for_both_sides() {
        let (proxy, mut client, mut server) = connected().await;
        proxy.reset();
        assert!(hear(&mut client).await.is_err());
        assert!(hear(&mut server).await.is_err());
    }

    #[tokio::test]
    async fn a_cut_lets_exactly_so_many_bytes_pass() {
        let (proxy, mut client, mut server) = connected().await;
        proxy.cut_after(3);
        client.write_all(b"hello").await.unwrap();
        let heard = hear(&mut server).await;
        // The reset may overtake what lies unread in the receiver's buffer.
        assert!(heard.as_ref().map_or(true, |bytes| bytes == b"hel"), "{heard:?}");
        assert!(hear(&mut client).await.is_err());
    }

    #[tokio::test]
    async fn a_half_closed_connection_still_speaks_the_other_way() {
        let (proxy, mut client, mut server) = connected().await;
        proxy.half_close();
        assert_eq!(hear(&mut server).await.unwrap(), b"");
        exchange(&mut server, &mut client).await;
    }

    #[tokio::test]
    async fn latency_is_added_to_every_piece() {
        let (proxy, mut client, mut server) = connected().await;
        let latency = Duration::from_millis(80);
        proxy.delay(latency);
        let begun = Instant::now();
        exchange(&mut client, &mut server).await;
        assert!(begun.elapsed() >= latency);
    }
}
