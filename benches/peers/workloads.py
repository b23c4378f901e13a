"""What the clients do, in the order of the page."""

import servers
import world

CLIENTS = 10_000
SLOW = ("dnsmasq", "dhcpd")
BURDENED = tuple(kind.name for kind in servers.BURDENED)
# Ours under other names: they are asked only what concerns them. With conflict detection it waits
# half a second for each new address: a closed loop would measure that wait alone.
DETECTING = ("leasehold-detecting",)
VARIANTS = DETECTING + BURDENED
DURABLE_NULLS = ("null-log", "null-laid-out")
NULLS = ("null", *DURABLE_NULLS)


class Workload:
    """One command line of `leasehold bench`, and which servers it is asked of."""

    def __init__(self, name, title, scenario, words, **more):
        self.name, self.title, self.scenario, self.words = name, title, scenario, words
        self.direct = more.get("direct", False)
        # Addresses in the pool: a /16, or a /14 or a /11 for loads with more clients than that.
        self.large = more.get("large", False)
        self.huge = more.get("huge", False)
        self.quick = more.get("quick", True)
        # Servers that would need an hour for it, and those that the quick form asks once.
        self.not_for = more.get("not_for", ())
        self.once_for = more.get("once_for", ())
        self.once = more.get("once", False)
        # Memory, files and restarts are measured behind the load.
        self.restarts = more.get("restarts", False)

    def suits(self, server, full):
        return server.name not in self.not_for and (server.direct or not self.direct)

    def runs(self, server, options):
        once = self.once or server.name in self.once_for
        return 1 if once and not options.full else options.runs

    def limit(self, full):
        return 1800 if full else 400

    def command(self, binary, pids, seed, settle):
        way = (
            ["direct", self.scenario, "--interface", "stations"]
            if self.direct
            else ["relayed", self.scenario, "--server", world.SERVER, "--relay", world.RELAY]
        )
        counted = [word for pid in pids for word in ("--pid", str(pid))]
        fixed = ["--seed", str(seed), "--settle", settle, "--json", "-", "--quiet"]
        if "--within" not in self.words:
            # A generator that sleeps is woken by the server, in the server's time.
            fixed.append("--spin")
        return [str(binary), "bench", *way, *self.words, *counted, *fixed]


    def first_answer(self, binary):
        """One client of another seed that asks again and again until it is bound."""
        clients = ["--clients", "1", "--outstanding", "1", "--retry", ",".join(["20ms"] * 1500)]
        lean = Workload(self.name, self.title, "dora", clients, direct=self.direct)
        return lean.command(binary, [], seed=2, settle="0s")


# A /16 has so many addresses here, less one for a client that has asked before.
SIXTEEN = 65_532
# Of the guests so many are there at once: as many offers are held however full the pool is. Twice
# as many have gone, which is not on disk yet.
GUESTS = 16
VISITS = ["--clients", "20000", "--outstanding", str(GUESTS), "--bound-rate", "0.01"]

ALL = [
    Workload(
        "exchanges",
        "10,000 new clients, then their renewals; 64 outstanding",
        "renew",
        ["--clients", str(CLIENTS)],
        not_for=VARIANTS,
        once_for=SLOW,
    ),
    Workload(
        "single",
        "One client at a time",
        "dora",
        ["--clients", "1000", "--outstanding", "1"],
        not_for=VARIANTS,
        once_for=SLOW,
    ),
    Workload(
        "direct",
        "Clients on the link, broadcast; 64 outstanding",
        "dora",
        ["--clients", str(CLIENTS)],
        direct=True,
        not_for=SLOW + VARIANTS,
    ),
    Workload(
        "storm",
        "100,000 clients power on within 10 s, behind one relay with option 82",
        "dora",
        ["--clients", "100000", "--within", "10s", "--option-82"]
        + ["--bound", str(CLIENTS), "--bound-rate", "500"],
        large=True,
        not_for=SLOW + BURDENED,
        once_for=("kea",) + DETECTING,
    ),
    Workload(
        "flood",
        "400,000 clients power on within 10 s",
        "dora",
        ["--clients", "400000", "--within", "10s", "--option-82"],
        huge=True,
        once=True,
        not_for=SLOW + VARIANTS + ("kea",),
    ),
    Workload(
        "overload",
        "600,000 clients power on within 10 s: more than can be served in time",
        "dora",
        ["--clients", "600000", "--within", "10s", "--option-82"],
        huge=True,
        once=True,
        not_for=SLOW + VARIANTS + ("kea",),
    ),
    Workload(
        "empty",
        "20,000 guests, who release at once what they get, and a /16 that is 1 % full",
        "visit",
        [*VISITS, "--bound", str(SIXTEEN // 100)],
        not_for=SLOW + VARIANTS + DURABLE_NULLS + ("kea",),
    ),
    Workload(
        "full",
        "20,000 guests, and a /16 that is full but for them",
        "visit",
        [*VISITS, "--bound", str(SIXTEEN - 3 * GUESTS)],
        not_for=SLOW + VARIANTS + DURABLE_NULLS,
        once_for=("kea",),
    ),
    Workload(
        "burdens",
        "10,000 new clients, then their renewals, with more in the configuration",
        "renew",
        ["--clients", str(CLIENTS)],
        large=True,
        not_for=SLOW + DETECTING + NULLS + ("kea",),
    ),
    Workload(
        "restart",
        "200,000 leases",
        "dora",
        ["--clients", "200000"],
        huge=True,
        once=True,
        restarts=True,
        not_for=SLOW + VARIANTS + NULLS,
    ),
    Workload(
        "million",
        "1,000,000 leases, then 2,000,000 renewals",
        "renew",
        ["--clients", "1000000", "--exchanges", "2000000"],
        huge=True,
        once=True,
        restarts=True,
        not_for=SLOW + VARIANTS + DURABLE_NULLS + ("kea",),
    ),
    Workload(
        "churn",
        "1,000,000 leases, then 10,000,000 renewals",
        "renew",
        ["--clients", "1000000", "--exchanges", "10000000"],
        huge=True,
        quick=False,
        once=True,
        restarts=True,
        not_for=SLOW + VARIANTS + NULLS + ("kea",),
    ),
]
