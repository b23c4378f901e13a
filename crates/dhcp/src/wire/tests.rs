//! What is read and written, against dhcproto as an independent reader.

use core::net::Ipv4Addr;

use dhcproto::{Decodable, Decoder, v4};

use super::*;
use crate::event::Malformed;

const BROADCAST: Ipv4Addr = Ipv4Addr::BROADCAST;

/// A request with these options behind the cookie.
fn datagram(options: &[u8]) -> Vec<u8> {
    let mut datagram = vec![0; HEADER];
    datagram[..4].copy_from_slice(&[1, 1, 6, 0]);
    datagram[4..8].copy_from_slice(&0x1234_5678_u32.to_be_bytes());
    datagram[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
    datagram[236..240].copy_from_slice(&COOKIE);
    datagram.extend_from_slice(options);
    datagram
}

fn refused(datagram: &[u8]) -> Malformed {
    Parser::default().parse(datagram, BROADCAST).map(|request| request.message).unwrap_err()
}

fn message(options: &[u8]) -> Result<Message, Malformed> {
    Parser::default().parse(&datagram(options), BROADCAST).map(|request| request.message)
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3
//= type=test
//# The 'op' field of each DHCP message sent from a client to a server contains BOOTREQUEST.
#[test]
fn the_header_is_checked_first() {
    let good = datagram(&[53, 1, 1, 255]);
    assert_eq!(refused(&good[..239]), Malformed::TooShort);
    let with = |at: usize, octet: u8| {
        let mut datagram = good.clone();
        datagram[at] = octet;
        datagram
    };
    assert_eq!(refused(&with(0, 2)), Malformed::NotARequest);
    assert_eq!(refused(&with(0, 0)), Malformed::NotARequest);
    assert_eq!(refused(&with(2, 17)), Malformed::HardwareLength);
    assert_eq!(refused(&with(2, 255)), Malformed::HardwareLength);
    assert_eq!(refused(&with(3, 17)), Malformed::Hops);
    assert_eq!(refused(&with(2, 0)), Malformed::NoIdentity);
    assert_eq!(refused(&with(28, 3)), Malformed::NoIdentity);
    let mut nobody = good.clone();
    nobody[28..34].fill(0);
    assert_eq!(refused(&nobody), Malformed::NoIdentity);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3
//= type=test
//# The first four octets of the 'options' field of the DHCP message contain the (decimal) values
//# 99, 130, 83 and 99, respectively
#[test]
fn another_cookie_makes_it_bootp_without_options() {
    let mut datagram = datagram(&[53, 1, 1, 255]);
    datagram[236..240].fill(0);
    let mut parser = Parser::default();
    let request = parser.parse(&datagram, BROADCAST).unwrap();
    assert_eq!((request.message, request.options.codes().count()), (Message::Bootp, 0));
}

//= https://www.rfc-editor.org/rfc/rfc2132#section-9.6
//= type=test
//# The code for this option is 53, and its length is 1.
//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# Messages without the DHCP Message Type option are assumed to have been sent by a BOOTP client.
//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# Any message received by a DHCP server that includes a 'DHCP message type' (51) option is assumed
//# to have been sent by a DHCP client.
#[test]
fn the_message_type_is_one_octet_of_a_client() {
    assert_eq!(message(&[53, 0, 255]), Err(Malformed::MessageType));
    assert_eq!(message(&[53, 2, 1, 1, 255]), Err(Malformed::MessageType));
    assert_eq!(message(&[53, 1, 1, 53, 1, 1, 255]), Err(Malformed::MessageType));
    for number in [0, 9, 11, 18, 99, 255] {
        assert_eq!(message(&[53, 1, number, 255]), Err(Malformed::MessageType), "{number}");
    }
    for number in [2, 5, 6] {
        assert_eq!(message(&[53, 1, number, 255]), Err(Malformed::ServerMessage));
    }
    assert_eq!(message(&[255]), Ok(Message::Bootp));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# If the DHCPREQUEST message contains a 'server identifier' option, the message is in response to
//# a DHCPOFFER message.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# Client inserts the address of the selected server in 'server identifier', 'ciaddr' MUST be zero
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# 'server identifier' MUST NOT be filled in, 'requested IP address' option MUST be filled in with
//# client's notion of its previously assigned address.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# 'server identifier' MUST NOT be filled in, 'requested IP address' option MUST NOT be filled in,
//# 'ciaddr' MUST be filled in with client's IP address.
//= https://www.rfc-editor.org/rfc/rfc2132#section-9.7
//= type=test
//# The code for this option is 54, and its length is 4.
#[test]
fn the_four_states_of_a_request_are_told_apart() {
    let address = Ipv4Addr::new(10, 0, 0, 7);
    let server = Ipv4Addr::new(10, 0, 0, 1);
    let selecting = [53, 1, 3, 54, 4, 10, 0, 0, 1, 50, 4, 10, 0, 0, 7, 255];
    let reboot = [53, 1, 3, 50, 4, 10, 0, 0, 7, 255];
    let plain = [53, 1, 3, 255];
    let parse = |options: &[u8], ciaddr: [u8; 4], destination| {
        let mut datagram = datagram(options);
        datagram[12..16].copy_from_slice(&ciaddr);
        let mut parser = Parser::default();
        parser.parse(&datagram, destination).map(|request| request.message)
    };
    let request = |requested| Ok(Message::Request(requested));
    let expected = request(Requested::Selecting { server, address });
    assert_eq!(parse(&selecting, [0; 4], BROADCAST), expected);
    assert_eq!(parse(&selecting, [10, 0, 0, 7], BROADCAST), expected);
    assert_eq!(parse(&selecting, [10, 0, 0, 8], BROADCAST), Err(Malformed::TwoAddresses));
    let expected = request(Requested::InitReboot { address });
    assert_eq!(parse(&reboot, [0; 4], BROADCAST), expected);
    let expected = request(Requested::Rebinding { address });
    assert_eq!(parse(&plain, [10, 0, 0, 7], BROADCAST), expected);
    let expected = request(Requested::Renewing { address });
    assert_eq!(parse(&plain, [10, 0, 0, 7], server), expected);
    assert_eq!(parse(&plain, [0; 4], BROADCAST), Err(Malformed::NoAddress));
    assert_eq!(message(&[53, 1, 3, 54, 2, 10, 0, 255]), Err(Malformed::ServerIdentifier));
    assert_eq!(message(&[53, 1, 3, 50, 2, 10, 0, 255]), Err(Malformed::RequestedAddress));
}

//= https://www.rfc-editor.org/rfc/rfc2132#section-9.10
//= type=test
//# The minimum legal value is 576 octets.
#[test]
fn options_of_the_wrong_size_are_no_options() {
    let datagram =
        datagram(&[53, 1, 1, 51, 3, 0, 0, 1, 57, 1, 5, 61, 0, 55, 0, 50, 3, 1, 2, 3, 82, 0, 255]);
    let mut parser = Parser::default();
    let request = parser.parse(&datagram, BROADCAST).unwrap();
    assert_eq!(request.message, Message::Discover { requested: None });
    assert_eq!((request.lease_time(), request.message_size()), (None, 576));
    assert_eq!((request.client_id(), request.parameter_request_list()), (None, None));
    assert_eq!(request.relay_agent(), Some(RelayAgent::new(&[])));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# The options in the 'options' field MUST be interpreted first
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# The 'file' field MUST be interpreted next
//= https://www.rfc-editor.org/rfc/rfc3396#section-4
//= type=test
//# the agent MUST concatenate these separate instances of the same option
//= https://www.rfc-editor.org/rfc/rfc3396#section-4
//= type=test
//# an implementation which supports any concatenation-requiring option MUST be capable of
//# concatenating received options
//= https://www.rfc-editor.org/rfc/rfc3396#section-5
//= type=test
//# The aggregate option buffer is made up of the optional parameters field, the file field, and the
//# sname field, in that order.
//= https://www.rfc-editor.org/rfc/rfc3396#section-7
//= type=test
//# it MUST consider them to be split portions of an option
//= https://www.rfc-editor.org/rfc/rfc3396#section-7
//= type=test
//# it MUST treat the contents of that option as a single option
//= https://www.rfc-editor.org/rfc/rfc3396#section-7
//= type=test
//# MUST NOT treat each split portion of the option as a separate object.
#[test]
fn pieces_are_joined_in_aggregate_order() {
    // RFC 3396 § 7: options, file, sname; also when another option stands between.
    let mut datagram =
        datagram(&[53, 1, 1, 52, 1, 3, 61, 2, 1, 2, 12, 1, b'a', 61, 1, 3, 255, 61, 1, 9]);
    datagram[108..112].copy_from_slice(&[61, 1, 4, 255]);
    datagram[44..48].copy_from_slice(&[61, 1, 5, 255]);
    let mut parser = Parser::default();
    let request = parser.parse(&datagram, BROADCAST).unwrap();
    assert_eq!(request.client_id(), Some(&[1, 2, 3, 4, 5][..]));
    assert_eq!(request.options.codes().collect::<Vec<_>>(), [53, 52, 61, 12]);
}

#[test]
fn an_overload_that_is_none_is_ignored() {
    for overload in [&[52, 1, 9][..], &[52, 1, 1, 52, 1, 1], &[52, 2, 1, 1], &[52, 0]] {
        let mut datagram = datagram(&[&[53, 1, 1], overload, &[255]].concat());
        datagram[108..112].copy_from_slice(&[61, 1, 4, 255]);
        let mut parser = Parser::default();
        assert_eq!(parser.parse(&datagram, BROADCAST).unwrap().client_id(), None);
    }
}

#[test]
fn a_cut_option_ends_the_options_but_not_those_before() {
    let mut parser = Parser::default();
    for tail in [&[61, 9, 1][..], &[61], &[61, 255]] {
        let datagram = datagram(&[&[53, 1, 1, 12, 1, b'a'], tail].concat());
        let request = parser.parse(&datagram, BROADCAST).unwrap();
        assert_eq!(request.client_id(), None);
        assert_eq!(request.options.get(code::HOST_NAME), Some(&b"a"[..]));
    }
}

#[test]
fn nothing_of_one_datagram_is_seen_in_the_next() {
    let mut parser = Parser::default();
    let first = datagram(&[53, 1, 1, 61, 2, 1, 2, 61, 1, 3, 82, 2, 1, 0, 255]);
    assert!(parser.parse(&first, BROADCAST).unwrap().client_id().is_some());
    let second = datagram(&[53, 1, 1, 255]);
    let request = parser.parse(&second, BROADCAST).unwrap();
    assert_eq!((request.client_id(), request.relay_agent()), (None, None));
}

#[test]
fn a_second_option_82_is_refused_but_not_the_rest_of_a_long_one() {
    assert_eq!(message(&[53, 1, 1, 82, 1, 0, 82, 1, 0, 255]), Err(Malformed::RelayAgentTwice));
    let long = [&[53, 1, 1, 82, 255][..], &[7; 255], &[82, 3, 7, 7, 7, 255]].concat();
    let long = datagram(&long);
    let mut parser = Parser::default();
    let request = parser.parse(&long, BROADCAST).unwrap();
    assert_eq!(request.relay_agent().map(|agent| agent.octets().len()), Some(258));
}

fn header(file: &[u8]) -> Header<'_> {
    Header {
        htype: 1,
        hlen: 6,
        xid: 0x1234_5678,
        flags: 0x8000,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::new(10, 0, 0, 7),
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::new(10, 0, 0, 2),
        chaddr: [2, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        file,
        cookie: true,
    }
}

fn required(reply: &mut Reply) {
    reply.option(code::MESSAGE_TYPE, &[2]);
    reply.option(code::SERVER_ID, &[10, 0, 0, 1]);
    reply.require();
}

/// The codes in their order, up to END, and what comes behind it.
fn order(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let (mut codes, mut at) = (Vec::new(), HEADER);
    while bytes[at] != code::END {
        codes.push(bytes[at]);
        at += 2 + usize::from(bytes[at + 1]);
    }
    (codes, &bytes[at + 1..])
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3
//= type=test
//# BOOTREPLY is used in the 'op' field of each DHCP message sent from a server to a client.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# The last option must always be the 'end' option.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# The server MUST include each requested parameter only once
//= https://www.rfc-editor.org/rfc/rfc2132#section-2
//= type=test
//# All multi-octet quantities are in network byte-order.
//= https://www.rfc-editor.org/rfc/rfc2132#section-3.2
//= type=test
//# Subsequent octets should be filled with pad options.
//= https://www.rfc-editor.org/rfc/rfc2132#section-3.3
//= type=test
//# the subnet mask option MUST be first.
//= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
//= type=test
//# Servers SHOULD copy the Relay Agent Information option as the last DHCP option in the response.
#[test]
fn a_reply_is_what_dhcproto_reads() {
    let mut reply = Reply::default();
    required(&mut reply);
    reply.option(code::ROUTER, &[10, 0, 0, 1]);
    reply.option(code::SUBNET_MASK, &[255, 255, 255, 0]);
    reply.option(code::ROUTER, &[1, 1, 1, 1]);
    let mut bytes = vec![0xaa; 3];
    reply.write(&header(b"pxe"), Some(&[1, 1, 0]), 548, &mut bytes);
    let bytes = &bytes[3..];
    assert_eq!(bytes.len(), 300);
    let (codes, padding) = order(bytes);
    assert_eq!(codes, [53, 54, 1, 3, 82], "the mask before the router, option 82 last");
    assert!(padding.iter().all(|&octet| octet == 0));

    let read = v4::Message::decode(&mut Decoder::new(bytes)).unwrap();
    assert_eq!(read.opts().msg_type(), Some(v4::MessageType::Offer));
    assert_eq!(read.opcode(), v4::Opcode::BootReply);
    assert_eq!((read.yiaddr(), read.giaddr()), (header(b"").yiaddr, header(b"").giaddr));
    assert_eq!(read.fname(), Some(&b"pxe\0"[..]));
    let router = v4::DhcpOption::Router(vec![Ipv4Addr::new(10, 0, 0, 1)]);
    assert_eq!(read.opts().get(v4::OptionCode::Router), Some(&router));
}

//= https://www.rfc-editor.org/rfc/rfc3396#section-4
//= type=test
//# In this case, the encoding agent MUST follow the algorithm specified here.
//= https://www.rfc-editor.org/rfc/rfc3396#section-6
//= type=test
//# No split portion of an option that has been split can contain more than 255 octets.
//= https://www.rfc-editor.org/rfc/rfc3396#section-6
//= type=test
//# The split portions of the option MUST be stored in the aggregate option buffer in sequential
//# order
//= https://www.rfc-editor.org/rfc/rfc3396#section-6
//= type=test
//# The length fields of each split portion of the option MUST add up to the total length of the
//# option data.
//= https://www.rfc-editor.org/rfc/rfc3396#section-6
//= type=test
//# the option code field in each split portion MUST be the same.
#[test]
fn long_values_are_split_into_adjacent_pieces() {
    let mut reply = Reply::default();
    required(&mut reply);
    let value: Vec<u8> = (0..320_u16).map(|number| number as u8).collect();
    reply.option(224, &value);
    let mut bytes = Vec::new();
    reply.write(&header(b""), None, 1472, &mut bytes);
    assert_eq!(order(&bytes).0, [53, 54, 224, 224]);
    assert_eq!(bytes[250], 255);
    let read = v4::Message::decode(&mut Decoder::new(&bytes)).unwrap();
    let expected = v4::UnknownOption::new(v4::OptionCode::Unknown(224), value);
    let expected = v4::DhcpOption::Unknown(expected);
    assert_eq!(read.opts().get(v4::OptionCode::Unknown(224)), Some(&expected));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# the 'option overload' option MUST appear in the 'options' field, with value 1, 2 or 3
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# MUST begin with the first octet of the field, MUST be terminated by an 'end' option, and MUST be
//# followed by 'pad' options to fill the remainder of the field.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# Any individual option in the 'options', 'sname' and 'file' fields MUST be entirely contained in
//# that field.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# The server MUST supply as many of the requested parameters as possible and MUST omit any
//# parameters it cannot provide.
//= https://www.rfc-editor.org/rfc/rfc2132#section-9.3
//= type=test
//# A DHCP server inserts this option if the returned parameters will exceed the usual space
//= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
//= type=test
//# Servers SHALL NOT place the echoed Relay Agent Information option in the overloaded sname or
//# file fields.
//= https://www.rfc-editor.org/rfc/rfc3396#section-5
//= type=test
//# Options MUST NOT be stored in the aggregate option buffer in such a way that they cross either
//# boundary
#[test]
fn what_does_not_fit_overflows_into_file_and_sname_and_never_past_the_limit() {
    let mut reply = Reply::default();
    required(&mut reply);
    for code in 200..230 {
        reply.option(code, &[code; 20]);
    }
    for (limit, file) in [(300, &b""[..]), (548, b""), (548, b"boot"), (576, b"")] {
        let agent = [1, 6, 1, 2, 3, 4, 5, 6];
        let mut bytes = Vec::new();
        reply.write(&header(file), Some(&agent), limit, &mut bytes);
        assert!(bytes.len() <= limit.max(300), "{}", bytes.len());
        let (codes, _) = order(&bytes);
        assert_eq!((codes[..3].to_vec(), codes.last()), (vec![53, 54, 52], Some(&82)));
        assert_eq!(bytes[251], if file.is_empty() { 3 } else { 2 });
        bytes[0] = 1;
        let mut parser = Parser::default();
        bytes[242] = 1;
        let read = parser.parse(&bytes, BROADCAST).unwrap();
        let got: Vec<u8> = read.options.codes().filter(|&code| code >= 200).collect();
        let fields = if file.is_empty() { 7 } else { 2 };
        let room = (limit - HEADER - 9 - 3 - 10 - 1) / 22;
        assert_eq!(got, (200..).take(room + fields).collect::<Vec<u8>>());
        for code in got {
            assert_eq!(read.options.get(code), Some(&[code; 20][..]));
        }
    }
}

#[test]
fn an_option_too_long_for_the_rest_is_left_out_without_overload() {
    let mut reply = Reply::default();
    required(&mut reply);
    reply.option(224, &[7; 400]);
    let mut bytes = Vec::new();
    reply.write(&header(b""), None, 548, &mut bytes);
    assert_eq!(order(&bytes).0, [53, 54]);
}

#[test]
fn required_options_and_option_82_are_never_left_out() {
    let mut reply = Reply::default();
    reply.option(code::MESSAGE_TYPE, &[2]);
    reply.option(code::CLIENT_ID, &[7; 255]);
    reply.require();
    reply.option(code::ROUTER, &[10, 0, 0, 1]);
    let mut bytes = Vec::new();
    reply.write(&header(b"pxe"), Some(&[9; 255]), 548, &mut bytes);
    assert_eq!(order(&bytes).0, [53, 61, 52, 82]);
}

#[test]
fn a_client_without_cookie_gets_an_empty_vendor_area() {
    let mut reply = Reply::default();
    reply.option(code::ROUTER, &[10, 0, 0, 1]);
    let mut bytes = Vec::new();
    reply.write(&Header { cookie: false, ..header(b"") }, None, 300, &mut bytes);
    assert_eq!(bytes.len(), 300);
    assert!(bytes[236..].iter().all(|&octet| octet == 0));
}
