# jul/18/2019 11:59:59 by RouterOS 6.45.2
# software id = ZZZZ-0001
#
# model = RB4011iGS+
# serial number = 000000000000
/ip pool
add name=lan-pool next-pool=zeaz-pool ranges=10.0.0.10-10.0.0.200
add name=zeaz-pool next-pool=wifi-pool ranges=10.0.1.10-10.0.1.200
add name=wifi-pool next-pool=lan-pool ranges=10.0.2.10-10.0.2.200
add name=dhcp_pool0 next-pool=dhcp_pool0 ranges=10.0.3.10-10.0.3.200
/ip dhcp-server
add add-arp=yes address-pool=lan-pool client-mac-limit=2 disabled=no \
    insert-queue-before=bottom interface=bridge lease-time=10m name=server1 \
    parent-queue=total use-radius=accounting
/ip dhcp-server option
add code=43 name=unifi value=0x0104C0A80A02
add code=121 name=routes value="0x18A00000\$(NETWORK_GATEWAY)0x00\$(NETWORK_GATEWAY)"
/ip dhcp-server option sets
add name=wifi options=unifi,routes
/ip dhcp-server vendor-class-id
add address-pool=wifi-pool name=ubnt server=server1 vid=ubnt
/ip dhcp-server lease
add address=10.0.0.5 address-lists=allowed,vip allow-dual-stack-queue=no \
    client-id=1:b8:27:eb:0:1:2 dhcp-option-set=wifi lease-time=1h mac-address=\
    B8:27:EB:00:01:02 rate-limit="64k/64k 256k/256k 128k/128k 10/10" server=\
    server1
add address=wifi-pool mac-address=B8:27:EB:00:01:03 server=server1
/ip dhcp-server network
add address=10.0.0.0/22 dns-none=yes gateway=10.0.0.1,10.0.0.2
