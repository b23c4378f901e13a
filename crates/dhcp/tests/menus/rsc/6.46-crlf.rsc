# feb/29/2020 00:00:01 by RouterOS 6.46.8
#
/ip pool
add comment="Gel\F6scht wird nichts" name=old ranges=172.16.0.1-172.16.0.14
add comment="\D1\82\D0\B5\D1\81\D1\82" name=utf ranges=172.16.0.17
/ip dhcp-server
add address-pool=*F disabled=no interface=ether5 name=orphan
add address-pool=static-only bootp-lease-time=lease-time disabled=no \
    interface=ether6 name=statics
/ip dhcp-server lease
add address=172.16.0.3 mac-address=AA:00:00:00:00:01 server=*2A
