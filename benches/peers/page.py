"""The page: medians and spreads of the runs, ratios within a run, plots, and what they leave out."""

import math
from pathlib import Path
from statistics import median

import plots
import workloads

# Load of the machine at the start above which the page warns.
BUSY = 1.5
NULL, NULL_LOG = "null server", "null server with group commit"
NULL_LAID_OUT = f"{NULL_LOG}, laid out"


def brief(result):
    """One line about one measurement, for the terminal."""
    if "error" in result:
        return f"FAILED: {result['error']}"
    load = result["report"]["load"]
    words = [f"{how} {seconds:.2f} s" for how, seconds in result.get("restarts", {}).items()]
    words += [f"{load['per_second']:,.0f}/s", f"{load['cpu']['server_us']:.1f} µs"]
    words += [f"p50 {load['latency_ms']['p50']:.2f} ms", f"p99 {load['latency_ms']['p99']:.2f} ms"]
    if binding := result["report"]["binding"]:
        words += [f"(DORA {binding['per_second']:,.0f}/s, {binding['cpu']['server_us']:.1f} µs)"]
    for name in ("retries", "given_up"):
        if load[name]:
            words.append(f"{load[name]} {name.replace('_', ' ')}")
    words += [f"BROKEN: {fault['rule']}" for fault in result["report"]["faults"]]
    return " ".join(words)


class Runs:
    """All runs of one workload, by server."""

    def __init__(self, results, workload):
        self.by_server = {}
        for found in results["measurements"]:
            if found["workload"] == workload:
                self.by_server.setdefault(found["server"], []).append(found)

    def servers(self):
        return [name for name, runs in self.by_server.items() if self.good(name)]

    def good(self, server):
        return [found for found in self.by_server.get(server, []) if "report" in found]

    def values(self, server, path):
        return [dig(found["report"], path) for found in self.good(server)]

    def ratios(self, server, path, floor):
        """The server's value over the floor's, run by run."""
        floors = {found["run"]: dig(found["report"], path) for found in self.good(floor)}
        own = [(found["run"], dig(found["report"], path)) for found in self.good(server)]
        return [value / floors[run] for run, value in own if floors.get(run)]

    def failures(self):
        return [
            (name, found["error"])
            for name, runs in self.by_server.items()
            for found in runs
            if "error" in found
        ]


def dig(report, path):
    for key in path.split("."):
        report = None if report is None else report[key]
    return report


def spread(values, form):
    """Median, and least to most if there are several."""
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    middle = form(median(values))
    if len(values) == 1 or form(min(values)) == form(max(values)):
        return middle
    return f"{middle} ({form(min(values))}–{form(max(values))})"


def whole(value):
    return f"{value:,.0f}"


def short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def write(results, path):
    parts = [opening(results)]
    runs = {load.name: Runs(results, load.name) for load in workloads.ALL}
    folder = path.parent / path.stem
    folder.mkdir(parents=True, exist_ok=True)
    for load in workloads.ALL:
        if not runs[load.name].servers():
            continue
        parts.append(f"## {load.title}\n")
        if load.name == "exchanges":
            parts.append("### DORA of new clients\n\n" + table(runs[load.name], "binding"))
            parts.append(bar_plot(runs[load.name], "binding", "DORA", folder, "dora-cpu"))
            parts.append("### Renewals\n\n" + table(runs[load.name], "load"))
            parts.append(bar_plot(runs[load.name], "load", "renewal", folder, "renewal-cpu"))
        elif load.name in ("storm", "flood", "overload"):
            parts.append(storm_table(runs[load.name]))
            parts.append(course_plot(runs[load.name], folder, load))
            parts.append(latency_plot(runs[load.name], folder, load))
        elif load.name in ("burdens", "million", "churn"):
            parts.append("### DORA of new clients\n\n" + table(runs[load.name], "binding", load))
            parts.append("### Renewals\n\n" + table(runs[load.name], "load", load))
        else:
            parts.append(table(runs[load.name], "load", load))
        if load.restarts:
            parts.append(restarts_table(runs[load.name]))
        for name, error in runs[load.name].failures():
            parts.append(f"A run of {name} failed: {error}.\n")
        faults = broken(runs[load.name])
        parts += [f"{name} broke a rule: {rule}.\n" for name, rule in faults]
    parts.append(closing())
    path.write_text("\n".join(part for part in parts if part))


def opening(results):
    machine, versions = results["machine"], results["versions"]
    lines = [
        "# Performance",
        "",
        "This page is written by `make bench` (`benches/peers/run --page`), which runs the servers",
        "side by side in network namespaces: the server on one core, the load (`leasehold bench`)",
        "on the other. Each run starts each server anew with an empty store, in turning order.",
        f"A figure is the median of up to {results['runs']} runs, in brackets the least and the",
        "most; without brackets there was one run, as for loads that take minutes.",
        "Ratios are taken within a run. Compare ratios; the rest is about one machine on one day.",
        "",
        f"- Machine: {machine['cpu']}, {machine['memory']}, {machine['disk']},",
        f"  Linux {machine['kernel']}, {machine['system']}",
        f"- Date: {machine['date']}; other load on the machine at the start: {machine['load']:.1f}",
    ]
    if machine["load"] > BUSY:
        lines[8:8] = [
            "",
            "**The machine was busy with other work.** A sync of the disk, which takes 0.2 ms when",
            "nothing else runs, took several, and every server waited for its core. So what happens",
            "in a second, latencies and restarts say little here; CPU times and their ratios say more.",
        ]
    lines += [f"- {title}: {version}" for title, version in versions.items()]
    lines += [f"- {title} was not measured: {why}" for title, why in results["absent"].items()]
    return "\n".join(lines) + "\n"


def table(runs, phase, load=None):
    """CPU, ratios to the floors that were there (or to plain Leasehold), throughput, latency."""
    floors = [(NULL, "× null"), (NULL_LOG, "× with group commit"), (NULL_LAID_OUT, "× laid out")]
    if load and load.name == "burdens":
        floors = [("Leasehold", "× plain")]
    floors = [(name, words) for name, words in floors if name in runs.servers()]
    heads = ["a second", "server CPU µs each", *(words for _, words in floors)]
    heads += ["p50 ms", "p99 ms", "whole machine µs"]
    rows = ["| server | " + " | ".join(heads) + " |", "|---" + "|--:" * len(heads) + "|"]
    cpu = f"{phase}.cpu.server_us"
    for server in runs.servers():
        cells = [
            server,
            spread(runs.values(server, f"{phase}.per_second"), whole),
            spread(runs.values(server, cpu), short),
            *(spread(runs.ratios(server, cpu, name), short) for name, _ in floors),
            spread(runs.values(server, f"{phase}.latency_ms.p50"), short),
            spread(runs.values(server, f"{phase}.latency_ms.p99"), short),
            spread(runs.values(server, f"{phase}.cpu.system_us"), short),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def restarts_table(runs):
    heads = ["memory, MiB", "octets a lease", "files, MiB", "octets a lease"]
    heads += ["restart to the first ACK, s", "the same after SIGKILL, s"]
    rows = ["| server | " + " | ".join(heads) + " |", "|---" + "|--:" * len(heads) + "|"]
    for server in runs.servers():
        found = [one for one in runs.good(server) if "restarts" in one]
        if not found:
            continue
        leases = found[0]["report"]["clients"]
        cells = [server]
        for what in ("memory", "files"):
            octets = [one[what] for one in found]
            cells += [spread([n / 2**20 for n in octets], whole)]
            cells += [spread([n / leases for n in octets], whole)]
        for how in ("SIGTERM", "SIGKILL"):
            cells.append(spread([one["restarts"][how] for one in found], short))
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def storm_table(runs):
    rows = [
        "| server | retries | given up | p50 ms | p99 ms | max ms | last bound after the last "
        "power-on, s | server CPU µs each | whole machine µs | renewals lost or late |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for server in runs.servers():
        renewals = [
            None if bound is None else bound["retries"] + bound["given_up"]
            for bound in runs.values(server, "bound")
        ]
        cells = [
            server,
            spread(runs.values(server, "load.retries"), whole),
            spread(runs.values(server, "load.given_up"), whole),
            spread(runs.values(server, "load.latency_ms.p50"), short),
            spread(runs.values(server, "load.latency_ms.p99"), short),
            spread(runs.values(server, "load.latency_ms.max"), whole),
            spread(runs.values(server, "load.last_done_after_last_due_s"), short),
            spread(runs.values(server, "load.cpu.server_us"), short),
            spread(runs.values(server, "load.cpu.system_us"), short),
            spread(renewals, whole),
        ]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


def broken(runs):
    found = {
        (server, fault["rule"])
        for server in runs.servers()
        for faults in runs.values(server, "faults")
        for fault in faults
    }
    return sorted(found)


def bar_plot(runs, phase, unit, folder, name):
    values = [(s, median(runs.values(s, f"{phase}.cpu.server_us"))) for s in runs.servers()]
    rows = [(server, value, f"{short(value)} µs") for server, value in values if value]
    title = f"Server CPU per {unit}, µs, logarithmic"
    return picture(folder, name, title, plots.bars(title, rows))


def course_plot(runs, folder, load):
    series, last = [], 0.0
    for server in runs.servers():
        course = runs.good(server)[0]["report"]["load"]["course"]
        group, step = 5, course["interval_s"]
        done = course["done"]
        line = [
            (step * (at + group / 2), sum(done[at : at + group]) / (step * group))
            for at in range(0, len(done), group)
        ]
        series.append((server, line))
        last = max(last, line[-1][0])
    top = plots.round_ticks(last)[-1]
    ticks = [(top * part / 5, f"{top * part / 5:g}") for part in range(6)]
    title = f"{load.name.capitalize()}: clients bound per second"
    return picture(
        folder, f"{load.name}-course", title, plots.lines(title, "seconds", "", series, ticks)
    )


def latency_plot(runs, folder, load):
    def nines(percentile):
        return -math.log10(max(1 - percentile / 100, 1e-5))

    series = [
        (
            server,
            [
                (nines(percentile), ms)
                for percentile, ms in runs.good(server)[0]["report"]["load"]["latency_ms"]["curve"]
            ],
        )
        for server in runs.servers()
    ]
    marks = (0, 50, 90, 99, 99.9, 99.99, 100)
    ticks = [(nines(mark), "max" if mark == 100 else f"{mark:g}") for mark in marks]
    title = f"{load.name.capitalize()}: from power-on to the ACK, ms"
    svg = plots.lines(title, "percentile of the clients", "", series, ticks, logarithmic=True)
    return picture(folder, f"{load.name}-latency", title, svg)


def picture(folder, name, title, svg):
    (folder / f"{name}.svg").write_text(svg)
    return f"![{title}]({Path(folder.name) / name}.svg)\n"


def closing():
    return """\
## What was measured

- All servers have one pool of the same size, leases of an hour and no conflict detection, unless
  the row says otherwise. Logs are at each server's default level and go to a file or to the log's
  socket. Kea has its CSV file (it is not synced to the disk), ISC dhcpd and dnsmasq their files.
- The null servers know nothing: they copy a prepared answer. No server can be cheaper with the
  same system calls. The one with group commit appends to a file, which is the plain way to be
  durable; "laid out" is the floor of a durable server that does as Leasehold does.
- CPU is what the kernel charges to the server's process, with a second after the load for work
  that it does in the background (four for Leasehold, which folds a second after the last commit). Part of the
  network stack's work is charged to whoever sends, so the whole machine's column stands beside it
  (it includes the load generator, the waiting, and all other work that the machine had).
- Memory is what is resident after the load. A restart is timed from the start of the process, on all
  cores, until a new client that asks every 20 ms has its ACK.
- A client retransmits after 4, 8 and 16 s, a second more or less, and is given up 32 s later.
  Latency counts from the moment when a client was to power on, not from when it was served.
- Every answer was checked: transaction, client, relay, option 82, server, address and lease time;
  and no address had two owners. A broken rule would stand below the table.

## What the figures do not say

- The link is a pair of virtual interfaces in one kernel. Network cards, switches and real relays
  cost time that all servers would share.
- Server and load share caches, memory and disk, and perhaps the two threads of one core.
- Where answers are waited for, the load polls (`--spin`): one that sleeps is woken by the server's
  own system calls, in the server's time, the more often the less the server sends at once.
- The disk is this machine's. A sync of a disk with a battery takes as long as here or less, one
  of a cheap SSD or of a network volume ten times as long; servers that sync per client suffer most.
- No server was tuned beyond its documentation's basics. Kea has several threads in later versions,
  and can keep its leases in memory alone; ISC dhcpd can delay ACKs and sync them together.
- The clients are polite and alike. Rude ones, broken options and hostile traffic are another
  subject.
"""
