//! `/ping`: ICMP echo requests, and what becomes of each.

use core::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use core::time::Duration;
use std::io;

use leasehold_routeros::Trap;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::{Listener, failed};
use crate::menus::{Echo, Ping};

/// An answer that comes later than this has not come.
const PATIENCE: Duration = Duration::from_secs(1);
const IP_HEADER: usize = 20;
const ICMP_HEADER: usize = 8;
const ECHO: u8 = 8;
const ECHO_REPLY: u8 = 0;
const UNREACHABLE: u8 = 3;
const EXCEEDED: u8 = 11;

pub(super) async fn run(ping: &Ping, mut listener: Listener) -> Result<(), Trap> {
    let socket = open(ping).map_err(|error| failed("cannot ping", &error))?;
    let mut pinging = Pinging {
        socket,
        target: ping.address,
        identifier: fastrand::u16(..),
        payload: vec![0; ping.size.number() as usize - IP_HEADER - ICMP_HEADER],
        times: Times::default(),
    };
    let interval = Duration::from_secs(ping.interval.seconds().into());
    let count = ping.count.map_or(u64::MAX, |count| count.number());
    for sequence in 0..count {
        let asked = Instant::now();
        let echo = pinging.once(sequence, asked + PATIENCE.min(interval)).await;
        listener.tell(&echo).await;
        if sequence + 1 < count {
            tokio::time::sleep_until(asked + interval).await;
        }
    }
    Ok(())
}

/// A raw socket: it tells the header of what it hears, and needs no group of users.
fn open(ping: &Ping) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))?;
    socket.set_nonblocking(true)?;
    socket.set_ttl_v4(ping.ttl.number() as u32)?;
    if let Some(interface) = &ping.interface {
        socket.bind_device(Some(interface.0.as_bytes()))?;
    }
    if let Some(address) = ping.src_address {
        socket.bind(&SockAddr::from(SocketAddrV4::new(address, 0)))?;
    }
    // Of such a socket tokio needs no more than that it sends and receives datagrams.
    UdpSocket::from_std(socket.into())
}

struct Pinging {
    socket: UdpSocket,
    target: Ipv4Addr,
    identifier: u16,
    payload: Vec<u8>,
    times: Times,
}

/// What came back.
struct Answer {
    from: Ipv4Addr,
    size: usize,
    ttl: u8,
    kind: u8,
}

#[derive(Default)]
struct Times {
    sent: u64,
    received: u64,
    least: Option<Duration>,
    most: Option<Duration>,
    all: Duration,
}

impl Pinging {
    async fn once(&mut self, sequence: u64, until: Instant) -> Echo {
        let asked = Instant::now();
        self.times.sent += 1;
        let number = sequence as u16;
        let target = SocketAddr::from((self.target, 0));
        let request = request(self.identifier, number, &self.payload);
        let sent = self.socket.send_to(&request, target).await;
        let answer = match sent {
            Ok(_) => timeout_at(until, self.answer(number)).await.ok().and_then(Result::ok),
            Err(_) => None,
        };
        let mut echo = Echo { seq: Some(sequence), host: Some(self.target), ..Echo::default() };
        match (answer, sent) {
            (Some(answer), _) => {
                echo.host = Some(answer.from);
                echo.size = Some(answer.size as u64);
                echo.ttl = Some(answer.ttl.into());
                match answer.kind {
                    ECHO_REPLY => echo.time = Some(words(self.times.take(asked.elapsed()))),
                    UNREACHABLE => echo.status = Some("host unreachable".into()),
                    _ => echo.status = Some("TTL exceeded".into()),
                }
            }
            (None, Err(error)) => echo.status = Some(error.to_string()),
            (None, Ok(_)) => echo.status = Some("timeout".into()),
        }
        self.times.tell(&mut echo);
        echo
    }

    /// The answer to the question with this number, from whoever it comes.
    async fn answer(&self, number: u16) -> io::Result<Answer> {
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = self.socket.recv_from(&mut buffer).await?;
            let SocketAddr::V4(from) = from else { continue };
            let found = read(&buffer[..length], self.identifier, number, self.target);
            if let Some((ttl, kind, size)) = found {
                return Ok(Answer { from: *from.ip(), size, ttl, kind });
            }
        }
    }
}

impl Times {
    fn take(&mut self, time: Duration) -> Duration {
        self.received += 1;
        self.all += time;
        self.least = Some(self.least.map_or(time, |least| least.min(time)));
        self.most = Some(self.most.map_or(time, |most| most.max(time)));
        time
    }

    fn tell(&self, echo: &mut Echo) {
        echo.sent = Some(self.sent);
        echo.received = Some(self.received);
        echo.packet_loss = ((self.sent - self.received) * 100).checked_div(self.sent);
        echo.min_rtt = self.least.map(words);
        echo.max_rtt = self.most.map(words);
        let received = u32::try_from(self.received).ok().filter(|received| *received > 0);
        echo.avg_rtt = received.map(|received| words(self.all / received));
    }
}

/// As RouterOS writes short times: `1ms240us`, `346us`.
fn words(time: Duration) -> String {
    let micros = time.as_micros();
    match (micros / 1000, micros % 1000) {
        (0, micros) => format!("{micros}us"),
        (millis, 0) => format!("{millis}ms"),
        (millis, micros) => format!("{millis}ms{micros}us"),
    }
}

fn request(identifier: u16, number: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![ECHO, 0, 0, 0];
    packet.extend(identifier.to_be_bytes());
    packet.extend(number.to_be_bytes());
    packet.extend_from_slice(payload);
    let sum = checksum(&packet);
    packet[2..4].copy_from_slice(&sum.to_be_bytes());
    packet
}

/// RFC 1071.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// TTL, type and size of a packet that answers the question: the echo itself, or an error that
/// quotes the question.
fn read(packet: &[u8], identifier: u16, number: u16, target: Ipv4Addr) -> Option<(u8, u8, usize)> {
    let (ttl, icmp) = body(packet)?;
    let kind = *icmp.first()?;
    let asked = |icmp: &[u8]| {
        icmp.get(4..6) == Some(&identifier.to_be_bytes())
            && icmp.get(6..8) == Some(&number.to_be_bytes())
    };
    match kind {
        ECHO_REPLY if asked(icmp) => Some((ttl, kind, packet.len())),
        UNREACHABLE | EXCEEDED => {
            let quoted = icmp.get(ICMP_HEADER..)?;
            let (_, question) = body(quoted)?;
            let ours = quoted.get(16..20)? == target.octets();
            (ours && question.first() == Some(&ECHO) && asked(question)).then_some((
                ttl,
                kind,
                packet.len(),
            ))
        }
        _ => None,
    }
}

/// TTL and payload of an IPv4 packet.
fn body(packet: &[u8]) -> Option<(u8, &[u8])> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    Some((*packet.get(8)?, packet.get(header..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 9);

    fn packet(icmp: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 1, 0, 0, 10, 0, 0, 1];
        packet.extend(TARGET.octets());
        packet.extend_from_slice(icmp);
        packet
    }

    #[test]
    fn a_request_has_a_sound_checksum() {
        let request = request(0x1234, 7, &[1, 2, 3]);
        assert_eq!(checksum(&request), 0);
        assert_eq!(request[4..8], [0x12, 0x34, 0, 7]);
    }

    #[test]
    fn an_answer_is_an_echo_of_ours_or_an_error_about_ours() {
        let mut echo = request(5, 9, &[]);
        assert_eq!(read(&packet(&echo), 5, 9, TARGET), None, "what we sent ourselves");
        echo[0] = ECHO_REPLY;
        assert_eq!(read(&packet(&echo), 5, 9, TARGET), Some((64, ECHO_REPLY, 28)));
        assert_eq!(read(&packet(&echo), 5, 8, TARGET), None, "another number");
        let mut error = vec![UNREACHABLE, 1, 0, 0, 0, 0, 0, 0];
        error.extend(packet(&request(5, 9, &[])));
        assert_eq!(read(&packet(&error), 5, 9, TARGET), Some((64, UNREACHABLE, 56)));
        assert_eq!(read(&packet(&error), 6, 9, TARGET), None, "about somebody else's");
        for length in 0..error.len() {
            let _ = read(&packet(&error)[..length], 5, 9, TARGET);
        }
    }

    #[test]
    fn times_are_written_as_routeros_does() {
        let cases = [(346, "346us"), (1000, "1ms"), (1240, "1ms240us"), (0, "0us")];
        for (micros, text) in cases {
            assert_eq!(words(Duration::from_micros(micros)), text);
        }
    }
}
