"""RouterOS-api: resources, filters, calls with empty values, errors."""

import sys

import routeros_api
from routeros_api.exceptions import RouterOsApiCommunicationError, RouterOsApiConnectionError

host, user, password = sys.argv[1:4]
for more in ({}, {"use_ssl": True, "ssl_verify": False, "ssl_verify_hostname": False}):
    pool = routeros_api.RouterOsApiPool(
        host, username=user, password=password, plaintext_login=True, **more)
    api = pool.get_api()
    pools = api.get_resource("/ip/pool")
    made = pools.add(name="ros-api", ranges="10.4.0.10-10.4.0.20", comment="x")
    found = pools.get(name="ros-api")
    assert found[0]["ranges"] == "10.4.0.10-10.4.0.20" and found[0]["comment"] == "x", found
    pools.set(id=found[0]["id"], comment="")
    assert not pools.get(name="ros-api")[0].get("comment"), "an empty value clears"
    count = pools.call("print", {"count-only": ""}, {"name": "ros-api"}).done_message
    assert count["ret"] in (b"1", "1"), count
    assert pools.call("print", {"detail": ""})
    try:
        pools.add(name="ros-api", ranges="10.4.0.10")
        raise AssertionError("a second pool of that name")
    except RouterOsApiCommunicationError as error:
        assert b"pool with such name exists" in error.original_message, error
    pools.remove(id=found[0]["id"])
    assert pools.get(name="ros-api") == []
    pool.disconnect()
try:
    routeros_api.RouterOsApiPool(
        host, username=user, password="wrong", plaintext_login=True).get_api()
    raise AssertionError("a wrong password")
except (RouterOsApiConnectionError, RouterOsApiCommunicationError) as error:
    assert "invalid user name or password (6)" in str(error), error
print("RouterOS-api works")
