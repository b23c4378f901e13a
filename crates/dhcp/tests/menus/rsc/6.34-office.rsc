# mar/14/2016 08:00:00 by RouterOS 6.34.2
# software id = 1234-5678
#
/ip pool
add name=lan ranges=10.10.0.50-10.10.0.99,10.10.0.150-10.10.0.199
add name=guests next-pool=lan ranges=10.10.1.0/25
add name=phones ranges=10.10.2.7-10.10.2.7
/ip dhcp-server
add address-pool=lan authoritative=yes bootp-support=dynamic disabled=no \
    interface=bridge1 lease-script="# log every lease\r\
    \n:if (\$leaseBound = \"1\") do={\r\
    \n    /log info \"\$leaseActIP for \$leaseActMAC\"\r\
    \n}" lease-time=1d name=office
add address-pool=guests delay-threshold=2s disabled=no interface=vlan20 \
    lease-time=1h30m name=guests src-address=10.10.1.126
add address-pool=phones interface=vlan30 name=phones
/ip dhcp-server option
add code=66 name=tftp value="'10.10.0.5'"
add code=43 name=vendor value=0x0104c0a80001
/ip dhcp-server lease
add address=10.10.0.10 comment="Printer, 2nd floor" mac-address=\
    00:1B:A9:01:02:03 server=office
add address=10.10.0.11 always-broadcast=yes mac-address=00:1B:A9:01:02:04
add address=10.10.0.12 dhcp-option=tftp disabled=yes mac-address=\
    00:1B:A9:01:02:04 server=office
add block-access=yes mac-address=DE:AD:BE:EF:00:01 server=guests
/ip dhcp-server network
add address=10.10.0.0/24 dhcp-option=tftp,vendor dns-server=10.10.0.1,8.8.8.8 \
    domain=office.example gateway=10.10.0.1 ntp-server=10.10.0.1 wins-server=\
    10.10.0.3
add address=10.10.1.0/25 dns-server=8.8.8.8 gateway=10.10.1.126 netmask=25
add address=10.10.2.0/24 boot-file-name=phone.cfg gateway=10.10.2.1 \
    next-server=10.10.0.5
/ip firewall filter
add chain=input comment="the router itself; really" protocol=icmp
add action=drop chain=input in-interface=ether1
