"""napalm-ros: facts, interfaces, and the configuration as it reads it."""

import sys

from napalm.base import get_network_driver

host, user, password = sys.argv[1:4]
with get_network_driver("ros")(host, user, password) as device:
    facts = device.get_facts()
    assert facts["os_version"].startswith("7.16.2") and facts["hostname"], facts
    assert "ether-83" in device.get_interfaces(), device.get_interfaces()
    assert isinstance(device.get_interfaces_ip(), dict)
    assert isinstance(device.get_arp_table(), list)
    assert device.is_alive()["is_alive"]
    running = device.get_config(retrieve="running")["running"]
    assert "by RouterOS 7.16.2" in running.splitlines()[0], running[:200]
    assert "name=isp-pool" in running, running
print("napalm-ros works")
