"""mktxp: an export run; pools and leases appear among its metrics."""

import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

host, user, password = sys.argv[1:4]
mktxp = pathlib.Path(sys.executable).with_name("mktxp")
with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    port = free.getsockname()[1]
with tempfile.TemporaryDirectory() as directory:
    place = pathlib.Path(directory)
    (place / "mktxp.conf").write_text(f"""
[lease-server]
    enabled = True
    hostname = {host}
    username = {user}
    password = {password}
    [[default]]
[default]
    enabled = True
""".replace("    [[default]]\n", ""))
    (place / "_mktxp.conf").write_text(f"""
[MKTXP]
    listen = '127.0.0.1:{port}'
    socket_timeout = 5
    verbose_mode = True
""")
    run = subprocess.Popen([mktxp, "--cfg-dir", directory, "export"],
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        metrics, deadline = "", time.monotonic() + 40
        while "mktxp_ip_pool_total" not in metrics:
            assert time.monotonic() < deadline and run.poll() is None, "no pools: " + "".join(metrics[-500:])
            time.sleep(0.3)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as page:
                    metrics = page.read().decode()
            except OSError:
                continue
    finally:
        run.terminate()
        said = run.communicate()[0]
        print(said)
    for line in ('mktxp_ip_pool_used{pool="isp-pool"', "mktxp_ip_pool_total",
                 "mktxp_dhcp_lease_active_count", "mktxp_dhcp_lease_info",
                 "mktxp_system_identity_info"):
        assert line in metrics, f"no {line} in:\n{metrics}\n{said}"
print("mktxp works")
