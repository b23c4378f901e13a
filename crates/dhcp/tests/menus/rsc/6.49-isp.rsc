# nov/30/2021 23:59:59 by RouterOS 6.49.10
# software id = QQQQ-QQQQ
#
/interface pppoe-client
add add-default-route=yes disabled=no interface=ether1 name=pppoe-out1 \
    password=secret user=user
/ip pool
add name=customers-a ranges="100.64.0.2-100.64.0.63,100.64.0.65-100.64.0.127,1\
    00.64.0.129-100.64.0.191,100.64.0.193-100.64.0.254"
add name=customers-b next-pool=customers-a ranges=100.64.1.0/24
/ip dhcp-server
add address-pool=customers-b always-broadcast=yes authoritative=\
    after-10sec-delay conflict-detection=no dhcp-option-set=tr69 disabled=no \
    interface=vlan100 lease-time=12h name=vlan100 use-radius=yes
/ip dhcp-server option
add code=43 name=acs value="s'http://acs.example/'"
add code=42 force=yes name=ntp value="'10.0.0.1''10.0.0.2'"
/ip dhcp-server option sets
add name=tr69 options=acs,ntp
/ip dhcp-server network
add address=100.64.0.0/15 caps-manager=100.64.0.1 dns-server=\
    100.64.0.1,9.9.9.9 gateway=100.64.0.1 netmask=15
/system script
add dont-require-permissions=no name=backup owner=admin policy=read,write \
    source="/ip pool\r\
    \nadd name=never ranges=1.2.3.4\r\
    \n:foreach i in=[find] do={ :put \$i }"
/tool netwatch
add down-script=":log info down" host=8.8.8.8 up-script={:log info up}
