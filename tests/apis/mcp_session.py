"""mikrotik-rest-mcp: its tools, called as a language model would."""

import asyncio
import os
import sys

host, user, password = sys.argv[1:4]
os.environ.update(MIKROTIK_HOST=host, MIKROTIK_USERNAME=user, MIKROTIK_PASSWORD=password,
                  MIKROTIK_USE_SSL="true", MIKROTIK_PORT="443")

from fastmcp import Client  # noqa: E402
from mikrotik_rest_mcp.app import mcp  # noqa: E402


async def session():
    async with Client(mcp) as client:
        async def call(tool, **arguments):
            return (await client.call_tool(f"mikrotik_{tool}", arguments)).structured_content

        await call("create_dhcp_pool", name="mcp", ranges="10.7.0.1-10.7.0.9")
        await call("update_dhcp_pool", name="mcp", ranges="10.7.0.1-10.7.0.19")
        pool = await call("get_dhcp_pool", name="mcp")
        assert pool["ranges"] == "10.7.0.1-10.7.0.19", pool
        pools = await call("list_dhcp_pools", include_used=True)
        assert {"isp-pool", "mcp"} <= {row["name"] for row in pools["result"]}, pools
        lease = await call("create_dhcp_lease", address="67.9.97.20", server="dhcp-server-83",
                           mac_address="02:AA:00:00:00:20", disabled=False)
        shown = await call("get_dhcp_lease", lease_id=lease["id"])
        assert shown["address"] == "67.9.97.20" and shown["disabled"] == "false", shown
        await call("remove_dhcp_lease", lease_id=lease["id"])
        await call("remove_dhcp_pool", name="mcp")
        servers = await call("list_dhcp_servers")
        assert servers["result"][0]["name"] == "dhcp-server-83", servers


asyncio.run(session())
print("mikrotik-rest-mcp works")
