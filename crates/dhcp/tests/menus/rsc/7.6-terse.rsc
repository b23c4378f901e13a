# 2022-11-05 10:00:00 by RouterOS 7.6
#
/interface bridge add name=bridge
/ip pool add name=pool1 ranges=10.1.0.10-10.1.0.100
/ip pool add name=pool2 next-pool=pool1 ranges=10.1.1.0/24 comment="with ; and # and \\ inside"
/ip dhcp-server add address-pool=pool2 interface=bridge lease-time=8h name=dhcp1
/ip dhcp-server network add address=10.1.0.0/16 dns-server=10.1.0.1 gateway=10.1.0.1
/ip dhcp-server option add code=vendor-specific name=vendor value="0x01'vards'\$(HOSTNAME)"
/ip dhcp-server matcher add address-pool=pool1 code=60 name=android server=dhcp1 value=android-dhcp-11
/ip dhcp-server matcher add address-pool=static-only code=77 name=lab value=0x6c6162
/ip dhcp-server alert add disabled=no interface=bridge valid-server=AA:BB:CC:DD:EE:FF,00:11:22:33:44:55
