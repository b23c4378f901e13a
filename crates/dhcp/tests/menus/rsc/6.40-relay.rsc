# oct/02/2017 16:12:54 by RouterOS 6.40.3
#
/ip pool
add name=POOL1 ranges=192.168.1.2-192.168.1.254
add name=POOL2 ranges=192.168.2.2-192.168.2.254
/ip dhcp-server
add address-pool=POOL1 disabled=no interface=ether3 lease-time=3d name=DHCP1 \
    relay=192.168.1.1
add address-pool=POOL2 disabled=no interface=ether3 lease-time=3d name=DHCP2 \
    relay=192.168.2.1
add disabled=no interface=ether4 name=statics relay=255.255.255.255
/ip dhcp-server config
set store-leases-disk=immediately
/ip dhcp-server network
add address=192.168.1.0/24 dns-server=159.148.60.20 gateway=192.168.1.1
add address=192.168.2.0/24 dns-server=159.148.60.20 gateway=192.168.2.1
