"""Two network namespaces with a link between them: the server's and the clients'.

    server namespace                         client namespace
    relayed: 10.9.0.1/24   veth  ----------  10.9.0.2/24, and the relay's address 10.64.0.1
    direct:  10.128.0.1/16 veth  ----------  no address: raw frames
"""

import json
import os
import platform
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

SERVER = "10.9.0.1"
UPLINK = "10.9.0.2"
RELAY = "10.64.0.1"
CLIENTS = "10.64.0.0/11"
DIRECT = "10.128.0.1"
SERVER_CORE, LOAD_CORE, ALL_CORES = "0", "1", "0,1"
# Where the servers keep their leases: a disk, which /tmp need not be.
DISK = "/var/tmp"


class Failure(Exception):
    """A server that does not start or serve, or a load that does not end."""


class World:
    def __enter__(self):
        number = os.getpid()
        self.server, self.clients = f"lhbench-s{number}", f"lhbench-c{number}"
        self.folder = Path(tempfile.mkdtemp(prefix="leasehold-bench-", dir=DISK))
        self.folder.chmod(0o755)
        try:
            self._build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(self, *_):
        self._remove()

    def _build(self):
        for name in (self.server, self.clients):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        self._link("uplink", "relay")
        self._link("ether", "stations")
        ip("-n", self.server, "addr", "add", f"{SERVER}/24", "dev", "uplink")
        ip("-n", self.server, "addr", "add", f"{DIRECT}/16", "dev", "ether")
        ip("-n", self.server, "route", "add", CLIENTS, "via", UPLINK)
        ip("-n", self.clients, "addr", "add", f"{UPLINK}/24", "dev", "relay")
        ip("-n", self.clients, "addr", "add", f"{RELAY}/32", "dev", "lo")

    def _link(self, here, there):
        peer = ("peer", "name", there, "netns", self.clients)
        ip("-n", self.server, "link", "add", here, "type", "veth", *peer)
        for name, interface in ((self.server, here), (self.clients, there)):
            # No IPv6: its neighbour discovery would be in the captures and in the CPU times.
            path = f"net.ipv6.conf.{interface}.disable_ipv6=1"
            subprocess.run(["ip", "netns", "exec", name, "sysctl", "-qw", path], check=False)
            ip("-n", name, "link", "set", interface, "up")

    def add_links(self, count):
        """Interfaces of the server with links that nobody uses."""
        lines = []
        for number in range(count):
            name = f"more{number}"
            lines.append(f"link add {name} type veth peer name {name} netns {self.clients}")
            lines.append(f"link set {name} up")
            lines.append(f"addr add {more(number, 1)}/24 dev {name}")
        self._batch(self.server, lines)
        self._batch(self.clients, [f"link set more{number} up" for number in range(count)])

    def _batch(self, namespace, lines):
        words = ["ip", "-n", namespace, "-batch", "-"]
        subprocess.run(words, input="\n".join(lines), text=True, check=True, capture_output=True)

    def _remove(self):
        for name in (self.server, self.clients):
            subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_server(self, command, environment, cores=SERVER_CORE):
        with open(self.folder / "output", "wb") as output:
            process = subprocess.Popen(
                inside(self.server, cores, command),
                env=os.environ | environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        prefer(process.pid)
        return process

    def stop_server(self, process, how=signal.SIGTERM):
        """By its process group, which is its own."""
        if process.poll() is None:
            os.killpg(process.pid, how)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def run_load(self, command, limit):
        return self.await_load(self.start_load(command), limit)

    def start_load(self, command):
        process = subprocess.Popen(
            inside(self.clients, LOAD_CORE, command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        prefer(process.pid)
        return process

    def await_load(self, process, limit):
        try:
            output, errors = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            raise Failure(f"the load did not end within {limit} s") from None
        except BaseException:
            process.kill()
            raise
        if process.returncode not in (0, 1):
            raise Failure(errors.strip() or f"the load ended with {process.returncode}")
        return json.loads(output)

    def in_clients(self, command):
        """Runs a command on the clients' side, for readiness checks."""
        return subprocess.run(
            ["ip", "netns", "exec", self.clients, *command],
            check=False,
            capture_output=True,
            text=True,
        )


def inside(namespace, cores, command):
    return ["ip", "netns", "exec", namespace, "taskset", "-c", cores, *command]


def more(number, host):
    """An address of the network of a further link."""
    return f"10.{200 + number // 250}.{number % 250}.{host}"


def resident(pid):
    """Octets of memory that a process has."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return 1024 * int(line.split()[1])
    return None


def prefer(pid):
    """Weighs the process's session above whatever else runs on the machine."""
    try:
        Path(f"/proc/{pid}/autogroup").write_text("-20")
    except OSError:
        os.setpriority(os.PRIO_PROCESS, pid, -20)


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


def machine():
    """What the figures were measured on."""
    cpu = "unknown CPU"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory = int(Path("/proc/meminfo").read_text().split()[1]) // 2**20
    system = "unknown system"
    if Path("/etc/os-release").exists():
        for line in Path("/etc/os-release").read_text().splitlines():
            if line.startswith("PRETTY_NAME="):
                system = line.split("=", 1)[1].strip('"')
    disk = subprocess.run(["df", "--output=fstype", DISK], capture_output=True, text=True).stdout
    return {
        "cpu": f"{os.cpu_count()} × {cpu}",
        "memory": f"{memory} GiB",
        "kernel": platform.release(),
        "system": system,
        "disk": disk.split()[-1] if disk else "unknown",
        "load": os.getloadavg()[0],
        "date": time.strftime("%Y-%m-%d"),
    }
