# 2026-03-01 09:30:00 by RouterOS 7.24.5
#
/ip/pool
add name=v24 ranges=10.24.0.2-10.24.0.200
/ip/dhcp-server
add add-dns-entries=yes add-dns-entries-suffix=home.arpa address-lists=known \
    address-pool=v24 dynamic-lease-identifiers=client-mac,opt-82 interface=\
    bridge name=newest support-broadband-tr101=yes use-reconfigure=yes
/ip/dhcp-server/config
set interim-update=5m radius-password=same-as-user
/ip/dhcp-server/lease
add agent-circuit-id=0a0b agent-remote-id=ff address=10.24.0.9 \
    insert-queue-before=first queue-type=default routes=\
    "10.9.0.0/16 10.24.0.9 1,10.10.0.0/16"
/ip/dhcp-server/matcher
add code=60 matching-type=substring name=phones option-set=phones server=newest \
    value="Polycom VVX"
/ip/dhcp-server/network
add address=10.24.0.0/24 gateway=10.24.0.1 ntp-none=yes
/ip/dhcp-server/option
add code=66 comment="boot server" name=boot value="s'tftp.home.arpa'"
/ip/dhcp-server/option/sets
add comment="for phones" name=phones options=boot
