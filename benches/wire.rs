//! The wire codec alone: a datagram becomes a request, and a reply becomes octets.

use std::hint::black_box;
use std::net::Ipv4Addr;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use leasehold::bench::packet::{Fields, Kind, Messages, Profile};
use leasehold_dhcp::wire::{Header, Parser, Reply};

const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const RELAY: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

fn message(kind: Kind, option_82: bool) -> Vec<u8> {
    let messages = Messages::new(Profile {
        giaddr: RELAY,
        broadcast: false,
        client_id: true,
        host_name: true,
        option_82,
    });
    let fields = Fields {
        xid: 0x1234_5678,
        secs: 0,
        mac: [2, 0, 0, 0, 0, 1],
        number: 1,
        address: Ipv4Addr::new(10, 0, 0, 9),
        server: SERVER,
    };
    let mut bytes = vec![0; 640];
    let size = messages.write(kind, &fields, &mut bytes);
    bytes.truncate(size);
    bytes
}

fn parse(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire, parse");
    let cases = [
        ("DISCOVER", message(Kind::Discover, false)),
        ("REQUEST with option 82", message(Kind::Select, true)),
    ];
    for (name, bytes) in &cases {
        let mut parser = Parser::default();
        group.throughput(Throughput::Bytes(bytes.len() as u64));
        group.bench_function(*name, |bencher| {
            bencher.iter(|| {
                let request = parser.parse(black_box(bytes), SERVER).expect("a legal request");
                black_box((request.xid, request.client_id().map(<[u8]>::len)));
            });
        });
    }
    group.finish();
}

/// An ACK as most networks have it.
fn write(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("wire, write");
    let mut chaddr = [0; 16];
    chaddr[..6].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    let header = Header {
        htype: 1,
        hlen: 6,
        xid: 0x1234_5678,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::new(10, 0, 0, 9),
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: RELAY,
        chaddr,
        file: &[],
        cookie: true,
    };
    let mut reply = Reply::default();
    let mut out = Vec::with_capacity(1500);
    group.throughput(Throughput::Elements(1));
    for (name, limit) in [("ACK", 1472), ("ACK, crowded into file and sname", 290)] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                out.clear();
                reply.clear();
                reply.option(53, &[5]);
                reply.option(54, &SERVER.octets());
                reply.option(51, &86_400u32.to_be_bytes());
                reply.require();
                reply.option(58, &43_200u32.to_be_bytes());
                reply.option(59, &75_600u32.to_be_bytes());
                reply.option(1, &[255, 0, 0, 0]);
                reply.option(3, &RELAY.octets());
                reply.option(6, &[8, 8, 8, 8, 8, 8, 4, 4]);
                reply.option(15, b"example.net");
                reply.write(black_box(&header), None, limit, &mut out);
                black_box(out.len());
            });
        });
    }
    group.finish();
}

criterion_group!(benches, parse, write);
criterion_main!(benches);
