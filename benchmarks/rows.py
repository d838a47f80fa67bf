"""What `benchmarks/run` measures, and what its tables show of it."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Row:
    """One scenario of `starling bench`, and the servers that take part in it."""

    name: str
    servers: str
    arguments: str
    # Seconds as a multiple of --duration; None: the scenario ends by itself. `fixed` seconds stand instead of that.
    timed: float | None = 1
    fixed: float | None = None
    # Publishes a second as a share of what nchan can do at most (row `nchan-maximum`).
    share_of_nchan: float | None = None
    # What a second load generator, a process of its own, does to the server meanwhile.
    beside: str = ""
    # What a process that has served before cannot tell again (memory): a running --peer is measured once.
    once_per_process: bool = False
    # No scenario: full TLS handshakes that the client of floor/tls.c makes, so many clients at once, each one after the other.
    handshakes: int = 0
    clients: int = 1


# 50,000 occupied channels, of which 500 a second get an event.
LISTED = "pubsub --channels 50000 --subscribers 1 --channels-per-client 50 --rate 500"

ROWS = [
    Row("fanout-spaced", "starling starling-tls floor nchan socketify mosquitto redis", "fanout --subscribers 1000 --rate 50"),
    Row("fanout-10000", "starling floor", "fanout --subscribers 10000 --rate 5 --sources 4"),
    Row(
        "beside-fanout",
        "starling",
        "rest --rate 200 --query channel",
        beside="fanout --subscribers 10000 --rate 5 --sources 4",
    ),
    Row("listing-alone", "starling", LISTED),
    Row("beside-listing", "starling", LISTED, beside="rest --rate 10 --query channels"),
    Row("leaving-alone", "starling", "fanout --subscribers 100 --rate 500", fixed=1),
    Row(
        "beside-leaving",
        "starling",
        "fanout --subscribers 100 --rate 500",
        fixed=1,
        beside="leave --connections 5000 --channels 5000 --channels-per-client 10",
    ),
    Row("fanout-16", "starling socketify floor nchan mosquitto redis", "fanout --subscribers 1000 --in-flight 16"),
    Row("fanout-32", "starling socketify", "fanout --subscribers 1000 --in-flight 32"),
    Row("fanout-100k", "starling starling-tls", "fanout --subscribers 100 --rate 4 --payload 102400"),
    Row("fanout-burst", "starling starling-tls", "fanout --subscribers 1000 --rate 320 --batch 16"),
    Row(
        "pubsub",
        "starling nchan floor mosquitto redis",
        "pubsub --channels 1000 --subscribers 10 --rate 1000 --sources 4",
    ),
    Row(
        "many-channels",
        "starling socketify",
        "pubsub --channels 20 --subscribers 500 --channels-per-client 10 --in-flight 512",
    ),
    Row("rest", "starling nchan socketify", "rest --in-flight 16"),
    Row("rest-batch", "starling", "rest --in-flight 16 --batch 10"),
    Row("client-events", "starling floor", "client-events --channels 1000 --rate 5000"),
    Row(
        "webhooks",
        "starling starling-webhooks webhooks-floor starling-webhooks-batched",
        "client-events --channels 1000 --rate 5000",
    ),
    Row("client-events-flight", "starling floor socketify", "client-events --channels 1000 --in-flight 64"),
    Row(
        "connect-presence",
        "starling",
        "connect --connections 10000 --channel-type presence --channels 5000 --sources 4",
        timed=None,
    ),
    Row("connect", "starling socketify floor", "connect --connections 10000 --sources 4", timed=None),
    Row("presence-250", "starling", "presence --connections 250 --in-flight 64", timed=None),
    Row("presence-500", "starling", "presence --connections 500 --in-flight 64", timed=None),
    Row("presence-1000", "starling", "presence --connections 1000 --in-flight 64", timed=None),
    Row("tls-handshakes", "starling-tls tls-floor", "", timed=None, handshakes=2000),
    Row("tls-handshakes-16", "starling-tls tls-floor", "", timed=None, handshakes=2000, clients=16),
    Row("tls-connect", "starling starling-tls", "connect --connections 4000", timed=None),
    Row("tls-storm", "starling-tls", "reconnect-storm --connections 4000 --connect-window 1000", timed=None),
    Row("idle", "starling starling-tls", "idle --connections 10000 --sources 4 --ping-interval 120", fixed=10, once_per_process=True),
    Row(
        "leave",
        "starling floor",
        "leave --connections 5000 --channels 5000 --channels-per-client 10",
        timed=None,
        once_per_process=True,
    ),
    Row("nchan-maximum", "nchan", "fanout --subscribers 1000 --in-flight 32"),
    Row("half-of-nchan", "starling nchan", "fanout --subscribers 1000 --publishers 32", timed=2, share_of_nchan=0.5),
    Row("loops-spaced", "starling starling-2", "fanout --subscribers 1000 --rate 100"),
    Row("loops-pubsub", "starling starling-2", "pubsub --channels 1000 --subscribers 10 --in-flight 128 --sources 4"),
    Row("loops-flight", "starling starling-2", "fanout --subscribers 1000 --in-flight 32"),
]

# The throughput–p99 knee is for the plot; it takes no part in the table.
SEARCH = Row(
    "search",
    "starling nchan",
    "search --subscribers 1000 --start-rate 100 --factor 1.6 --publishers 64 --slo p99<100ms,loss=0",
    timed=0.5,
)


@dataclasses.dataclass(frozen=True)
class Goal:
    """`≤ 1.10 × floor`, or without a server a plain number; `row`: compare with another row instead of this one.

    `publish_row`: what the server's publish costs there, where nobody hears it, is taken off its figure: what is left are the
    deliveries, so that no ratio rests on the language that reads its requests. Ours stays whole. `plus`: so much more, in the line's unit.
    `name`: what the server is called in the table.
    """

    relation: str
    factor: float
    server: str = ""
    row: str = ""
    publish_row: str = ""
    plus: float = 0
    name: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """One line of the table: a figure of a row."""

    row: str
    title: str
    figure: str
    unit: str
    digits: int
    goals: tuple[Goal, ...] = ()
    scale: float = 1
    subject: str = "starling"
    # Servers whose figure here says nothing.
    without: tuple[str, ...] = ()
    # Latency and throughput mean nothing when the generator was the limit; costs per event still do.
    needs_valid: bool = False


def most(factor: float, server: str = "", row: str = "") -> Goal:
    return Goal("≤", factor, server, row)


def most_beside_deliveries(factor: float, server: str) -> Goal:
    """At most so often the peer's cost of delivering, whatever a publish costs it besides."""
    return Goal("≤", factor, server, publish_row="rest")


def most_beside_plain(factor: float) -> Goal:
    """TLS, at most so often what the same costs without."""
    return Goal("≤", factor, "starling", name="plain")


def least(factor: float, server: str = "", row: str = "") -> Goal:
    return Goal("≥", factor, server, row)


PER_MILLION = ("server_cpu_per_million_deliveries", "CPU-s per million")
LINES = [
    Line(
        "fanout-spaced",
        "1 × 1,000 subscribers, 50/s",
        *PER_MILLION,
        2,
        (most(1.1, "floor"), most(0.72, "nchan")),
    ),
    Line("fanout-10000", "1 × 10,000 subscribers, 5/s", *PER_MILLION, 2, (most(1.05, "floor"),)),
    Line(
        "fanout-10000",
        "1 × 10,000 subscribers, 5/s: the last delivery",
        "p99.99",
        "ms",
        1,
        (most(1.1, "floor"),),
        needs_valid=True,
    ),
    Line(
        "beside-fanout",
        "an API call's p99 beside 1 × 10,000 subscribers, 5/s",
        "p99",
        "ms",
        2,
        (most(10),),
        needs_valid=True,
    ),
    Line("listing-alone", "50,000 channels, 500 events/s: p99 of a delivery", "p99", "ms", 2, needs_valid=True),
    Line(
        "beside-listing",
        "the same while `GET /channels` lists them 10 times a second",
        "p99",
        "ms",
        2,
        (Goal("≤", 1, "starling", "listing-alone", plus=5),),
        needs_valid=True,
    ),
    Line("leaving-alone", "1 × 100 subscribers, 500/s, for a second: p99 of a delivery", "p99", "ms", 2, needs_valid=True),
    Line(
        "beside-leaving",
        "the same while 5,000 clients with 50,000 subscriptions vanish",
        "p99",
        "ms",
        2,
        (Goal("≤", 1, "starling", "leaving-alone", plus=5),),
        needs_valid=True,
    ),
    Line(
        "fanout-16",
        "1 × 1,000 subscribers, 16 in flight",
        *PER_MILLION,
        3,
        (most_beside_deliveries(0.8, "socketify"),),
    ),
    Line(
        "fanout-32",
        "1 × 1,000 subscribers, 32 in flight",
        *PER_MILLION,
        3,
        (most_beside_deliveries(0.85, "socketify"),),
    ),
    Line("pubsub", "1,000 channels × 10, 1,000/s", *PER_MILLION, 2, (most(1.05, "floor"), most(0.72, "nchan"))),
    Line(
        "many-channels",
        "20 channels, 10 per client, 512 in flight",
        *PER_MILLION,
        3,
        (most_beside_deliveries(0.25, "socketify"),),
    ),
    Line(
        "rest",
        "signed triggers, 16 keep-alive connections",
        "server_cpu_per_10000_events",
        "CPU-s per 10,000",
        3,
        (most(0.15),),
    ),
    Line(
        "rest-batch",
        "signed triggers in batches of 10",
        "server_cpu_per_10000_events",
        "CPU-s per 10,000 events",
        3,
        (most(0.06),),
    ),
    Line(
        "client-events",
        "client events, 1,000 channels × 2, 5,000/s",
        "server_cpu_per_10000_client_events",
        "CPU-s per 10,000",
        3,
        (most(1.3, "floor"),),
    ),
    Line(
        "client-events-flight",
        "client events, 64 in flight",
        "server_cpu_per_10000_client_events",
        "CPU-s per 10,000",
        3,
        (most(1.3, "floor"),),
    ),
    Line(
        "webhooks",
        "webhooks, one a request",
        "webhooks_per_cpu_second",
        "per CPU-s",
        0,
        (least(0.1, "webhooks-floor"),),
        subject="starling-webhooks",
    ),
    Line(
        "webhooks",
        "webhooks, up to 100 a request",
        "webhooks_per_cpu_second",
        "per CPU-s",
        0,
        (Goal("≥", 1.5, "starling-webhooks", name="one a request"),),
        subject="starling-webhooks-batched",
    ),
    *(
        Line(
            "webhooks",
            f"p99 of 5,000 client events/s while each is a webhook{how}",
            "p99",
            "ms",
            2,
            (Goal("≤", 1, "starling", plus=plus),),
            subject=subject,
            needs_valid=True,
        )
        for how, subject, plus in ((" of its own", "starling-webhooks", 5), (", up to 100 a request", "starling-webhooks-batched", 2))
    ),
    Line(
        "connect-presence",
        "connect + signed presence subscribe",
        "connects_per_server_cpu_second",
        "per CPU-s",
        0,
        (least(0.8, "floor", "connect"),),
    ),
    Line(
        "connect",
        "connect + public subscribe",
        "connects_per_server_cpu_second",
        "per CPU-s",
        0,
        (least(0.9, "floor"),),
    ),
    Line("presence-250", "join storm, 250 users: a join", "server_cpu_per_10000_joins", "CPU-µs", 0, (), 100),
    Line("presence-500", "join storm, 500 users: a join", "server_cpu_per_10000_joins", "CPU-µs", 0, (), 100),
    Line("presence-1000", "join storm, 1,000 users: a join", "server_cpu_per_10000_joins", "CPU-µs", 0, (), 100),
    Line("presence-1000", "join storm, 1,000 users: bytes of a join", "bytes_per_join", "KiB", 1, (), 1 / 1024),
    Line("presence-250", "join storm, 250 users: a byte sent", "server_cpu_ns_per_byte", "CPU-ns", 2),
    Line(
        "presence-1000",
        "join storm, 1,000 users: a byte sent",
        "server_cpu_ns_per_byte",
        "CPU-ns",
        2,
        (most(1, "starling", "presence-250"),),
    ),
    Line(
        "idle",
        "idle, subscribed, 10,000 connections",
        "anonymous_bytes_per_connection",
        "bytes each",
        0,
        (most(1_024),),
    ),
    Line("idle", "idle, 10,000 connections: processor", "idle_server_cpu_percent", "% of a core", 2, (most(0.5),)),
    Line(
        "leave",
        "50,000 subscriptions leave at once: resident memory",
        "rss_after_percent",
        "% of the start",
        0,
        (most(110),),
        without=("floor",),
    ),
    Line(
        "leave",
        "50,000 subscriptions: resident memory with them",
        "rss_bytes_peak",
        "MiB",
        1,
        (),
        1 / 1_048_576,
        without=("floor",),
    ),
    Line(
        "leave",
        "50,000 subscriptions: resident memory afterwards",
        "rss_bytes_after",
        "MiB",
        1,
        (),
        1 / 1_048_576,
        without=("floor",),
    ),
    Line(
        "leave",
        "50,000 subscriptions: anonymous memory before",
        "anonymous_bytes_before",
        "MiB",
        1,
        (),
        1 / 1_048_576,
        without=("floor",),
    ),
    Line(
        "leave",
        "50,000 subscriptions: anonymous memory with them",
        "anonymous_bytes_peak",
        "MiB",
        1,
        (),
        1 / 1_048_576,
        without=("floor",),
    ),
    Line(
        "leave",
        "50,000 subscriptions: anonymous memory afterwards",
        "anonymous_bytes_after",
        "MiB",
        1,
        (),
        1 / 1_048_576,
        without=("floor",),
    ),
    Line("leave", "while they leave: a new connection's p99", "p99", "ms", 1, (most(50),), needs_valid=True),
    Line("nchan-maximum", "nchan's highest rate", "publishes_per_second", "publishes/s", 0),
    Line(
        "half-of-nchan",
        "p99 of a delivery at half of nchan's maximum",
        "p99",
        "ms",
        2,
        (most(1, "nchan"),),
        needs_valid=True,
    ),
    Line(
        "loops-spaced",
        "2 loops, 1 × 1,000 subscribers, 100/s: deliveries",
        "deliveries_per_busiest_thread_second",
        "per core-second",
        0,
        (least(1.7, "starling"),),
        subject="starling-2",
    ),
    Line(
        "loops-pubsub",
        "2 loops, 1,000 channels × 10, in flight: deliveries",
        "deliveries_per_busiest_thread_second",
        "per core-second",
        0,
        (least(1.7, "starling"),),
        subject="starling-2",
    ),
    Line(
        "loops-flight",
        "2 loops, 32 in flight: deliveries",
        "deliveries_per_busiest_thread_second",
        "per core-second",
        0,
        subject="starling-2",
    ),
    Line(
        "loops-flight",
        "2 loops, 32 in flight: deliveries by the clock",
        "deliveries_per_second",
        "per second",
        0,
        (),
        subject="starling-2",
        needs_valid=True,
    ),
    Line("fanout-spaced", "TLS, 1 × 1,000 subscribers, 50/s", *PER_MILLION, 2, (most_beside_plain(1.6),), subject="starling-tls"),
    Line(
        "fanout-burst",
        "TLS, 1 × 1,000 subscribers, 16 events at once, 20 times a second",
        *PER_MILLION,
        3,
        (most_beside_plain(1.9),),
        subject="starling-tls",
    ),
    Line(
        "fanout-100k",
        "TLS, 1 × 100 subscribers, 4/s of 100 KiB",
        *PER_MILLION,
        1,
        (most_beside_plain(2.7),),
        subject="starling-tls",
    ),
    Line(
        "tls-handshakes",
        "TLS, full ECDSA handshakes with a request, one after the other",
        "handshakes_per_server_cpu_second",
        "per CPU-s",
        0,
        (least(0.9, "tls-floor"),),
        subject="starling-tls",
    ),
    Line(
        "tls-handshakes-16",
        "TLS, the same by 16 clients at once",
        "handshakes_per_server_cpu_second",
        "per CPU-s",
        0,
        (least(0.9, "tls-floor"),),
        subject="starling-tls",
    ),
    Line(
        "tls-connect",
        "TLS, connect + public subscribe",
        "connects_per_server_cpu_second",
        "per CPU-s",
        0,
        subject="starling-tls",
    ),
    Line(
        "idle",
        "TLS, idle, subscribed, 10,000 connections",
        "anonymous_bytes_per_connection",
        "bytes each",
        0,
        (most(14_600),),
        subject="starling-tls",
    ),
    Line(
        "tls-storm",
        "TLS, idle after 4,000 came back at once",
        "anonymous_bytes_per_connection",
        "bytes each",
        0,
        (most(14_600),),
        subject="starling-tls",
    ),
    Line("start", "start: exec to listening", "ready_milliseconds", "ms", 1, (most(50),)),
    Line("start", "start: resident memory", "rss_bytes", "MiB", 1, (most(12),), 1 / 1_048_576),
    Line("start", "start: anonymous memory", "anonymous_bytes", "MiB", 1, (), 1 / 1_048_576),
    Line("start", "executable, stripped", "binary_bytes", "MB", 1, (most(15),), 1e-6),
    Line(
        "start",
        "static build: exec to listening",
        "ready_milliseconds",
        "ms",
        1,
        (most(50),),
        subject="starling-static",
    ),
    Line(
        "start", "static build: resident memory", "rss_bytes", "MiB", 1, (most(12),), 1 / 1_048_576, "starling-static"
    ),
    Line("start", "static build: anonymous memory", "anonymous_bytes", "MiB", 1, (), 1 / 1_048_576, "starling-static"),
    Line("start", "static executable, stripped", "binary_bytes", "MB", 1, (most(15),), 1e-6, "starling-static"),
]

# How a figure is to be understood, under the table.
NOTES = [
    "CPU-s: user and system time of the server's process within the measured window; payloads of 128 bytes.",
    (
        "floor: a bare loop of our own that sends the same bytes, one `send` per subscriber (or one `recv` and one "
        "`send`). uWebSockets under Python is what socketify makes of it: the native library publishes, after the turn "
        "in which the requests came; Python reads them, which shows where a publish has few deliveries. Its ratios "
        "therefore leave out what a publish without subscribers costs it. mosquitto speaks MQTT over WebSocket, QoS 0; Redis plain TCP: no WebSocket, no checks, a point "
        "of reference."
    ),
    "nchan's triggers carry no signature, and without subscribers it only takes the publish.",
    (
        "connect + public subscribe: 10 clients in each of 1,000 channels. Connect + signed presence subscribe: 2 users "
        "in each of 5,000, every connection a user of its own; the others only greet and confirm."
    ),
    (
        "idle: anonymous memory that 10,000 connections in 1,000 channels added; processor time over 10 s in which each client "
        "pings every 120 s."
    ),
    (
        "beside …: two load generators, processes of their own; what one does to the server, the other measures. An API call is "
        "GET /channels/NAME on a connection of its own, 200 a second from their due time; a list of 50,000 channels has about 1 MB. "
        "The last delivery is the 99.99th percentile: of the 10,000 of an event the last one. Who vanishes does so a quarter of a second "
        "after the other has begun to measure."
    ),
    (
        "leave: 5,000 connections with 10 subscriptions each, of 5,000 channels, vanish at once. Memory is that of a "
        "fresh process that has served nobody, and once it has not changed for 4 s; anonymous memory, a small part of it, "
        "keeps the buffers that the first client made it touch; the new connections are 500 in the second "
        "after, from their due time; what the floor shows there is the kernel's and the generator's part."
    ),
    (
        "2 loops: generator and server share two cores, so a server of two loops is never given two. Counted is "
        "what it could deliver with a core for each loop: deliveries per second of processor time of its busiest "
        "thread, against the same with one loop: by the same timetable, and with 128 publishes in flight on 1,000 "
        "channels, where hardly any two frames leave together. With 32 in flight on one channel there is no verdict: "
        "the less of the cores a loop gets, the more frames it sends at once, and the cheaper each becomes."
    ),
]

NOTE_OF_TLS = (
    "TLS: in a closed loop its slower clients leave the server less to send at once, so bursts come by a timetable. 1.3, AES-128-GCM and a certificate on P-256; the generator checks nothing. The TLS floor accepts, shakes hands, answers a request "
    "and closes, blocking, one client after the other; both are asked by the floor's client; with one client, which keeps neither busy, the loop sleeps before each of his flights. 4,000 that come back at once: all were here, "
    "went, and began again, 1,000 under way at any time; the memory is what they have added to the start, a second and a half later."
)

NOTE_OF_WEBHOOKS = (
    "webhooks: client events, 5,000 a second, each told to one receiver over one kept-alive connection; CPU-s are those of the threads "
    "that serve no clients (from the edge to the answer). The floor posts the very bytes of one of these requests again and again, "
    "without making or signing them; batched, up to 100 events go together. Alone is the same load without webhooks."
)

# What is different about results that were measured before 2026-11-29.
NOTE_OF_SCHEMA_2 = (
    "In these results uWebSockets published inside the handler of the request, where it cannot let events of several "
    "channels leave together, and all clients of connect and idle were in one channel."
)
