//! Knowing that the server which answers is ours, and that its JetStream has recovered.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

/// A server on the same machine that does not answer within this is asked again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);
/// The greeting is under a kilobyte; anything much longer does not come from nats-server.
const GREETING_BYTES_MAX: u64 = 64 * 1024;

/// Whether the server called `server_name` accepts clients on `port` and reports itself healthy on
/// `monitor_port`. Another program on the port is an error, because waiting would not help.
pub(super) fn is_ready(server_name: &str, port: u16, monitor_port: u16) -> Result<bool, String> {
    let Ok(greeting) = greeting(port) else { return Ok(false) };
    let info = greeting.strip_prefix("INFO ").unwrap_or_default();
    let info: serde_json::Value = serde_json::from_str(info).unwrap_or_default();
    if info["server_name"] != server_name {
        return Err(format!("port {port} is answered by something else: {}", greeting.trim_end()));
    }
    Ok(health_status(monitor_port).is_ok_and(|line| line.contains(" 200 ")))
}

/// The first line that a NATS server sends to whoever connects.
fn greeting(port: u16) -> io::Result<String> {
    let stream = connect(port)?;
    let mut line = String::new();
    BufReader::new(stream.take(GREETING_BYTES_MAX)).read_line(&mut line)?;
    if line.is_empty() { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(line) }
}

/// The status line of `/healthz`, which is 200 once every stream and consumer is recovered.
fn health_status(port: u16) -> io::Result<String> {
    let mut stream = connect(port)?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream.take(GREETING_BYTES_MAX)).read_line(&mut line)?;
    Ok(line)
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, ANSWER_TIMEOUT)?;
    stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
    stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
    Ok(stream)
}
