//! Case EXT-02 on the wire: boot ROMs and iPXE, by architecture.

use std::net::Ipv4Addr;

use crate::lab::scene::CONFIGURATION;
use crate::lab::{Client, Message, Scene, kind};

/// The scenario with a boot server, and a file for each architecture.
fn boots() -> String {
    let network = "dns-server = \"8.8.8.8\"\nnext-server = \"67.9.97.5\"";
    let mut text = CONFIGURATION.replace("dns-server = \"8.8.8.8\"", network);
    for (name, code, value, file) in [
        ("menu", 77, "iPXE", "http://67.9.97.5/menu.ipxe"),
        ("efi64", 93, "0x0007", "ipxe.efi"),
        ("bios", 60, "PXEClient:Arch:00000", "undionly.kpxe"),
    ] {
        text += &format!(
            "\n[[dhcp-server-option]]\nname = \"{name}\"\ncode = 67\nvalue = \"{file}\"\n\
             \n[[dhcp-server-option-sets]]\nname = \"{name}\"\noptions = \"{name}\"\n\
             \n[[dhcp-server-matcher]]\nname = \"{name}\"\ncode = {code}\nvalue = \"{value}\"\n\
             matching-type = \"substring\"\noption-set = \"{name}\"\n"
        );
    }
    text
}

/// A ROM's message.
fn of_rom(message: Message, arch: u16) -> Message {
    let class = format!("PXEClient:Arch:{arch:05}:UNDI:003016");
    let identifier = [&[0][..], &[0x4c; 16]].concat();
    message
        .option(57, &1472_u16.to_be_bytes())
        .option(97, &identifier)
        .option(93, &arch.to_be_bytes())
        .option(94, &[1, 3, 16])
        .option(60, class.as_bytes())
        .with(|message| message.flags = Message::BROADCAST_FLAG)
}

/// DISCOVER to ACK of a ROM, or of iPXE in its place: what it is to boot.
fn booted(client: &Client<'_>, arch: u16, is_ipxe: bool) -> String {
    let of = |message| {
        let message = of_rom(message, arch);
        if is_ipxe { message.option(77, b"iPXE").option(175, &[177, 1, 1]) } else { message }
    };
    let offer = client.ask(&of(client.discover()));
    let ack = client.ask(&of(client.selecting(&offer)));
    assert!(ack.is(kind::ACK), "{ack:?}");
    assert_eq!(ack.siaddr(), Ipv4Addr::new(67, 9, 97, 5));
    assert_eq!(ack.option(97).map(<[u8]>::len), Some(17));
    assert_eq!(ack.option(67), offer.option(67));
    String::from_utf8(ack.option(67).unwrap_or_default().to_vec()).unwrap()
}

#[test]
fn ext_02_a_boot_file_by_architecture() {
    let scene = Scene::with(&boots());
    let list = [1, 3, 6, 43, 60, 66, 67, 97, 128, 135, 175];
    let client = |number| scene.client(number).parameters(&list);
    assert_eq!(booted(&client(1), 0, false), "undionly.kpxe");
    assert_eq!(booted(&client(2), 7, false), "ipxe.efi");
    assert_eq!(booted(&client(1), 0, true), "http://67.9.97.5/menu.ipxe");
    assert_eq!(booted(&client(2), 7, true), "http://67.9.97.5/menu.ipxe");
    assert_eq!(booted(&client(3), 6, false), "");
}
