/ip pool
add name=isp-pool ranges=67.9.97.10-67.9.97.254

/ip dhcp-server
add name=dhcp-server-83 interface=ether-83 address-pool=isp-pool lease-time=1d

/ip dhcp-server network
add address=67.9.97.0/24 gateway=67.9.97.1 dns-server=8.8.8.8
