"""What the clients do, in the order of the page."""

import world

CLIENTS = 10_000
SLOW = ("dnsmasq", "dhcpd")
# It waits half a second for each new address: a closed loop would measure that wait alone.
DETECTING = ("leasehold-detecting",)


class Workload:
    """One command line of `leasehold bench`, and which servers it is asked of."""

    def __init__(self, name, title, scenario, words, **more):
        self.name, self.title, self.scenario, self.words = name, title, scenario, words
        self.direct = more.get("direct", False)
        # Addresses in the pool: a /16, or a /14 for loads with more clients than that.
        self.large = more.get("large", False)
        self.quick = more.get("quick", True)
        # Servers that would need an hour for it, and those that the quick form asks once.
        self.not_for = more.get("not_for", ())
        self.once_for = more.get("once_for", ())

    def suits(self, server, full):
        return server.name not in self.not_for and (server.direct or not self.direct)

    def runs(self, server, options):
        return 1 if server.name in self.once_for and not options.full else options.runs

    def limit(self, full):
        return 900 if full else 240

    def command(self, binary, pids, seed, settle):
        way = (
            ["direct", self.scenario, "--interface", "stations"]
            if self.direct
            else ["relayed", self.scenario, "--server", world.SERVER, "--relay", world.RELAY]
        )
        counted = [word for pid in pids for word in ("--pid", str(pid))]
        fixed = ["--seed", str(seed), "--settle", settle, "--json", "-", "--quiet"]
        return [str(binary), "bench", *way, *self.words, *counted, *fixed]


ALL = [
    Workload(
        "exchanges",
        "10,000 new clients, then their renewals; 64 outstanding",
        "renew",
        ["--clients", str(CLIENTS)],
        not_for=DETECTING,
        once_for=SLOW,
    ),
    Workload(
        "single",
        "One client at a time",
        "dora",
        ["--clients", "1000", "--outstanding", "1", "--spin"],
        not_for=DETECTING,
    ),
    Workload(
        "direct",
        "Clients on the link, broadcast; 64 outstanding",
        "dora",
        ["--clients", str(CLIENTS)],
        direct=True,
        not_for=SLOW + DETECTING,
    ),
    Workload(
        "storm",
        "100,000 clients power on within 10 s, behind one relay with option 82",
        "dora",
        ["--clients", "100000", "--within", "10s", "--option-82"]
        + ["--bound", str(CLIENTS), "--bound-rate", "500"],
        large=True,
        not_for=SLOW,
        once_for=("kea",),
    ),
    Workload(
        "overload",
        "240,000 clients power on within 3 s: more than can be served in time",
        "dora",
        ["--clients", "240000", "--within", "3s", "--option-82"],
        large=True,
        quick=False,
        not_for=SLOW + ("kea",),
    ),
]
