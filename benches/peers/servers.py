"""The contestants: how each is configured, started, and seen to be ready.

All serve the same pool with leases of an hour and no conflict detection (the clients could not
answer a probe, and the peers were never slower without it). Logs are at each server's default
level and go to files.
"""

import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import world

READY_SECONDS = 30


def pool(workload):
    """First and last address of the pool, and its network."""
    if workload.direct:
        return "10.128.0.2", "10.128.255.254", "10.128.0.0/16"
    if workload.huge:
        return "10.64.0.2", "10.95.255.254", "10.64.0.0/11"
    if workload.large:
        return "10.64.0.2", "10.67.255.254", "10.64.0.0/14"
    return "10.64.0.2", "10.64.255.254", "10.64.0.0/14"


class Server:
    direct = True
    # Seconds that its start goes on after its first answer.
    calm = 0
    # How long after the load its process may still work on it.
    settle = "1s"

    def __init__(self, binary):
        self.binary = binary

    def absent(self):
        """Why it cannot run here; None if it can."""
        return None if shutil.which(self.program) else f"{self.program} is not installed"

    def version(self):
        package = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Version}", self.package],
            capture_output=True,
            text=True,
            check=False,
        )
        return package.stdout.strip() or "unknown version"

    def prepare(self, place, workload):
        """Writes configuration files."""

    def environment(self, place):
        return {}

    def kept(self, place):
        """Octets of its files of leases."""
        return None

    def pids(self, process):
        """The process whose CPU time counts; `ip netns exec` and taskset replace themselves."""
        return [process.pid]

    def log(self, place):
        output = place.folder / "output"
        return output.read_text(errors="replace")[-2000:] if output.exists() else ""

    def await_ready(self, place, workload, process):
        """Asks with another seed than the measurement's until one client is bound."""
        probe = workload.command(self.binary, [], seed=1, settle="0s")
        words = ["--clients", "--exchanges", "--outstanding", "--within", "--bound", "--bound-rate"]
        probe = without(probe, words)
        probe[probe.index("bench") + 2] = "dora"
        probe += ["--clients", "1", "--outstanding", "1", "--retry", "200ms"]
        deadline = time.monotonic() + READY_SECONDS
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise world.Failure(f"ended by itself with {process.returncode}")
            done = place.in_clients(probe)
            if done.returncode == 0 and json.loads(done.stdout)["load"]["done"] == 1:
                time.sleep(self.calm)
                return
            time.sleep(0.2)
        raise world.Failure(f"no answer within {READY_SECONDS} s")


def without(command, words):
    """The command without these options and their values."""
    left, skip = [], False
    for word in command:
        if skip:
            skip = False
        elif word in words:
            skip = True
        else:
            left.append(word)
    return left


class Null(Server):
    name, title, durable = "null", "null server", "–"

    def absent(self):
        return None if self.binary.exists() else f"{self.binary} is not built"

    def version(self):
        return "recvmmsg and sendmmsg, a prepared answer"

    def command(self, place, workload):
        where = (
            ["--interface", "ether", "--identity", world.DIRECT]
            if workload.direct
            else ["--listen", world.SERVER]
        )
        return [str(self.binary), "bench", "null", *where]


class NullDurable(Null):
    name, title, durable = "null-log", "null server with group commit", "yes"

    def version(self):
        return "the same; 64 octets an ACK appended to a file, and one fdatasync a batch"

    def command(self, place, workload):
        return [*super().command(place, workload), "--log", str(place.folder / "log")]


class NullLaidOut(NullDurable):
    name, title = "null-laid-out", "null server with group commit, laid out"

    def version(self):
        return "the same, on a file of 64 MiB that was laid out before, as Leasehold's log is"

    def command(self, place, workload):
        return [*super().command(place, workload), "--laid-out"]


class Leasehold(Server):
    name, title, durable = "leasehold", "Leasehold", "yes"
    # It folds a second after the last commit, and takes another one for a million leases.
    settle = "4s"
    detection = "no"

    def absent(self):
        return None if self.binary.exists() else f"{self.binary} is not built"

    def version(self):
        done = subprocess.run([self.binary, "--version"], capture_output=True, text=True)
        return done.stdout.strip()

    def prepare(self, place, workload):
        first, last, network = pool(workload)
        gateway = world.DIRECT if workload.direct else world.RELAY
        interface = "ether" if workload.direct else "uplink"
        relay = "" if workload.direct else f'relay = "{world.RELAY}"\n'
        (place.folder / "leasehold.toml").write_text(self.burden(place) + f"""\
[[pool]]
name = "pool"
ranges = "{first}-{last}"

[[dhcp-server]]
name = "server"
interface = "{interface}"
address-pool = "pool"
lease-time = "1h"
conflict-detection = "{self.detection}"
{relay}
[[dhcp-server-network]]
address = "{network}"
gateway = "{gateway}"
dns-server = "{gateway}"
""")

    def burden(self, place):
        """More configuration, which the measured clients do not need."""
        return ""

    def command(self, place, workload):
        config, state = place.folder / "leasehold.toml", place.folder / "state"
        socket = place.folder / "socket"
        options = ["--config", str(config), "--state", str(state), "--socket", str(socket)]
        return [str(self.binary), "serve", *options]

    def kept(self, place):
        return octets(place.folder / "state")


class LeaseholdAsShipped(Leasehold):
    name, title = "leasehold-detecting", "Leasehold, conflict detection on"
    detection = "yes"


class LeaseholdStatic(Leasehold):
    name, title = "leasehold-static", "Leasehold, 10,000 static leases"

    def burden(self, place):
        def row(number):
            low = f"{number >> 8:02x}:{number & 255:02x}"
            return (
                f'[[dhcp-server-lease]]\naddress = "10.66.{number >> 8}.{number & 255}"\n'
                f'mac-address = "06:00:00:00:{low}"\nserver = "server"\n\n'
            )

        return "".join(row(number) for number in range(10_000))


class LeaseholdNetworks(Leasehold):
    name, title = "leasehold-networks", "Leasehold, 100 networks more"

    def burden(self, place):
        return "".join(
            f'[[pool]]\nname = "pool-{number}"\nranges = "10.100.{number}.10-10.100.{number}.250"\n\n'
            f'[[dhcp-server-network]]\naddress = "10.100.{number}.0/24"\n'
            f'gateway = "10.100.{number}.1"\ndns-server = "10.100.{number}.1"\n\n'
            for number in range(100)
        )


class LeaseholdMatchers(Leasehold):
    name, title = "leasehold-matchers", "Leasehold, 50 matchers"

    def burden(self, place):
        return "".join(
            f'[[dhcp-server-matcher]]\nname = "matcher-{number}"\nserver = "server"\ncode = 60\n'
            f'value = "vendor-{number}"\nlease-time = "2h"\n\n'
            for number in range(50)
        )


class LeaseholdInterfaces(Leasehold):
    name, title = "leasehold-interfaces", "Leasehold, 1,000 interfaces more"
    # Its links come up one after the other, and it hears of each.
    calm = 8

    def burden(self, place):
        place.add_links(1000)
        return "".join(
            f'[[pool]]\nname = "pool-{number}"\n'
            f'ranges = "{world.more(number, 10)}-{world.more(number, 250)}"\n\n'
            f'[[dhcp-server]]\nname = "server-{number}"\ninterface = "more{number}"\n'
            f'address-pool = "pool-{number}"\n\n'
            for number in range(1000)
        )


class Kea(Server):
    name, title, durable = "kea", "Kea", "no"
    program, package = "kea-dhcp4", "kea-dhcp4-server"

    def prepare(self, place, workload):
        first, last, network = pool(workload)
        gateway = world.DIRECT if workload.direct else world.RELAY
        interface, kind = ("ether", "raw") if workload.direct else ("uplink", "udp")
        options = [
            {"name": "routers", "data": gateway},
            {"name": "domain-name-servers", "data": gateway},
        ]
        subnet = {
            "id": 1,
            "subnet": network,
            "pools": [{"pool": f"{first} - {last}"}],
            "option-data": options,
        }
        output = {"output": str(place.folder / "kea.log")}
        config = {
            "interfaces-config": {"interfaces": [interface], "dhcp-socket-type": kind},
            "lease-database": {
                "type": "memfile",
                "persist": True,
                "name": str(place.folder / "leases.csv"),
            },
            "valid-lifetime": 3600,
            "subnet4": [subnet],
            "loggers": [{"name": "kea-dhcp4", "severity": "INFO", "output_options": [output]}],
        }
        (place.folder / "kea.json").write_text(json.dumps({"Dhcp4": config}))

    def environment(self, place):
        return {"KEA_PIDFILE_DIR": str(place.folder), "KEA_LOCKFILE_DIR": str(place.folder)}

    def command(self, place, workload):
        return [self.program, "-c", str(place.folder / "kea.json")]

    def kept(self, place):
        return sum(path.stat().st_size for path in place.folder.glob("leases.csv*"))


class Dhcpd(Server):
    name, title, durable = "dhcpd", "ISC dhcpd", "yes"
    program, package = "dhcpd", "isc-dhcp-server"

    def prepare(self, place, workload):
        first, last, network = pool(workload)
        base, mask = {"16": ("10.128.0.0", "255.255.0.0"), "14": ("10.64.0.0", "255.252.0.0")}[
            network.split("/")[1]
        ]
        gateway = world.DIRECT if workload.direct else world.RELAY
        (place.folder / "dhcpd.leases").touch()
        (place.folder / "dhcpd.conf").write_text(f"""\
authoritative;
ping-check false;
default-lease-time 3600;
max-lease-time 3600;
subnet 10.9.0.0 netmask 255.255.255.0 {{ }}
subnet {base} netmask {mask} {{
    range {first} {last};
    option routers {gateway};
    option domain-name-servers {gateway};
}}
""")

    def command(self, place, workload):
        interface = "ether" if workload.direct else "uplink"
        files = ["-cf", "dhcpd.conf", "-lf", "dhcpd.leases", "-pf", "dhcpd.pid"]
        return [self.program, "-4", "-f", "-d", *files, interface]


class Dnsmasq(Server):
    name, title, durable = "dnsmasq", "dnsmasq", "yes"
    program, package = "dnsmasq", "dnsmasq-base"

    def command(self, place, workload):
        first, last, network = pool(workload)
        mask = {"16": "255.255.0.0", "14": "255.252.0.0"}[network.split("/")[1]]
        gateway = world.DIRECT if workload.direct else world.RELAY
        return [
            self.program,
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--port=0",
            "--no-ping",
            "--dhcp-authoritative",
            f"--interface={'ether' if workload.direct else 'uplink'}",
            f"--dhcp-range={first},{last},{mask},1h",
            "--dhcp-lease-max=300000",
            f"--dhcp-option=option:router,{gateway}",
            f"--dhcp-option=option:dns-server,{gateway}",
            f"--dhcp-leasefile={place.folder / 'dnsmasq.leases'}",
            f"--log-facility={place.folder / 'dnsmasq.log'}",
        ]


def octets(folder):
    return sum(512 * path.stat().st_blocks for path in folder.rglob("*") if path.is_file())


BURDENED = [LeaseholdStatic, LeaseholdNetworks, LeaseholdMatchers, LeaseholdInterfaces]
ALL = [Null, NullDurable, NullLaidOut, Leasehold, LeaseholdAsShipped, *BURDENED, Kea, Dhcpd, Dnsmasq]
