# 2024-12-27 15:17:47 by RouterOS 7.16.2
# software id = XXXX-XXXX
#
# model = C52iG-5HaxD2HaxD
# serial number = XXXXXXXXXXX
/interface bridge
add admin-mac=78:9A:18:00:00:00 auto-mac=no comment=defconf name=bridge
/interface wifi
set [ find default-name=wifi1 ] channel.band=5ghz-ax configuration.mode=ap \
    .ssid=home disabled=no
/ip pool
add name=dhcp ranges=192.168.88.10-192.168.88.254
/ip dhcp-server
add address-pool=dhcp interface=bridge name=defconf
/interface bridge port
add bridge=bridge comment=defconf interface=ether2
#error exporting "/interface/ethernet/switch" (timeout)
/ip dhcp-server lease
add address=192.168.88.7 client-id=1:2c:f0:5d:0:0:1 comment=NAS mac-address=\
    2C:F0:5D:00:00:01 server=defconf
/ip dhcp-server network
add address=192.168.88.0/24 comment=defconf dns-server=192.168.88.1 gateway=\
    192.168.88.1
/ip dns
set allow-remote-requests=yes
