# jan/02/2015 10:21:07 by RouterOS 6.19
# software id = ABCD-EFGH
#
/interface bridge
add l2mtu=1598 name=bridge-local protocol-mode=rstp
/interface wireless
set [ find default-name=wlan1 ] band=2ghz-b/g/n disabled=no mode=ap-bridge \
    ssid=home
/ip pool
add name=default-dhcp ranges=192.168.88.10-192.168.88.254
/ip dhcp-server
add address-pool=default-dhcp disabled=no interface=bridge-local name=default
/ip dhcp-server network
add address=192.168.88.0/24 comment="default configuration" dns-server=\
    192.168.88.1 gateway=192.168.88.1
/ip dhcp-server lease
add address=192.168.88.20 client-id=1:0:c:42:0:d4:64 mac-address=\
    00:0C:42:00:D4:64 server=default
/system identity
set name=home
