"""librouteros: the menus through its paths, its queries, its errors, and a listen that hears."""

import ssl
import sys
import time

import librouteros
from librouteros.exceptions import LibRouterosError
from librouteros.query import Key

host, user, password = sys.argv[1:4]


def connect(**more):
    return librouteros.connect(host=host, username=user, password=password,
                               encoding="utf-8", **more)


def refused(call, words):
    try:
        call()
    except LibRouterosError as error:
        assert words in str(error), f"{error!r} has no {words!r}"
    else:
        raise AssertionError(f"nothing was refused: {words}")


context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
for api in (connect(), connect(port=8729, ssl_wrapper=context.wrap_socket)):
    pools = api.path("ip", "pool")
    made = pools.add(name="lib-pool", ranges="10.1.0.10-10.1.0.99", comment="made by a ä client")
    assert made.startswith("*"), made
    name, ranges, comment = Key("name"), Key("ranges"), Key("comment")
    rows = list(pools.select(name, ranges, comment).where(name == "lib-pool"))
    assert [row["ranges"] for row in rows] == ["10.1.0.10-10.1.0.99"], rows
    assert rows[0]["comment"] == "made by a ä client", rows
    pools.update(**{".id": made, "comment": "c" * 20000})
    rows = list(pools.select(comment).where(name.In("lib-pool", "none")))
    assert len(rows[0]["comment"]) == 20000
    refused(lambda: pools.add(name="lib-pool", ranges="10.2.0.1-10.2.0.2"),
            "failure: pool with such name exists")
    refused(lambda: pools.add(name="x", ranges="a-b"), "value of range must have ip address")
    refused(lambda: pools.update(**{".id": "*FFFF", "name": "y"}), "no such item")
    refused(lambda: pools.add(name="x", rangs="10.2.0.1"), "unknown parameter rangs")
    refused(lambda: tuple(api("/no/such/print")), "no such command prefix")
    refused(lambda: tuple(api("/ip/pool/dance")), "no such command")
    disabled, server = Key("disabled"), Key("name")
    servers = api.path("ip", "dhcp-server").select(server).where(disabled == False)  # noqa: E712
    assert [row["name"] for row in servers] == ["dhcp-server-83"]
    pools.remove(made)
    assert not list(pools.select(name).where(name == "lib-pool"))
    api.close()

# What another connection does is heard as it happens. (`listening()` would wait for the end.)
listening, acting = connect(timeout=10), connect()
listening.protocol.writeSentence("/ip/pool/listen")
time.sleep(0.5)
pools = acting.path("ip", "pool")
made = pools.add(name="heard", ranges="10.3.0.1-10.3.0.2")
word, row = listening.readSentence()
assert (word, row["name"], row[".id"]) == ("!re", "heard", made), row
pools.remove(made)
word, row = listening.readSentence()
assert (word, row[".dead"], row[".id"]) == ("!re", True, made), row
refused(lambda: librouteros.connect(host=host, username=user, password="wrong"),
        "invalid user name or password (6)")
print("librouteros works")
