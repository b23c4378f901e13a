// node-routeros and routeros-client: login, print, add, errors, stream, close.
const { RouterOSAPI } = require("node-routeros");
const { RouterOSClient } = require("routeros-client");
const assert = require("assert");

const [host, user, password] = process.argv.slice(2);

async function plain() {
  const api = new RouterOSAPI({ host, user, password, keepalive: true, timeout: 5 });
  await api.connect();
  const made = await api.write("/ip/pool/add", ["=name=node", "=ranges=10.5.0.1-10.5.0.9"]);
  assert.match(made[0].ret, /^\*/);
  const rows = await api.write("/ip/pool/print", ["?name=node"]);
  assert.equal(rows[0].ranges, "10.5.0.1-10.5.0.9");
  assert.deepEqual(await api.write("/ip/pool/print", ["?name=nobody"]), []);
  await assert.rejects(api.write("/ip/pool/add", ["=name=node", "=ranges=10.5.0.1"]),
    /pool with such name exists/);
  const heard = new Promise((resolve) => {
    api.stream(["/ip/pool/listen"], (error, packet) => resolve(packet));
  });
  await new Promise((resolve) => setTimeout(resolve, 300));
  await api.write("/ip/pool/set", [`=.id=${made[0].ret}`, "=comment=heard"]);
  assert.equal((await heard).comment, "heard");
  await api.write("/ip/pool/remove", [`=.id=${made[0].ret}`]);
  await new Promise((resolve) => setTimeout(resolve, 3000)); // its keep-alive sends `#`
  assert.ok((await api.write("/system/identity/print"))[0].name);
  await api.close();
}

async function client() {
  const client = new RouterOSClient({ host, user, password, timeout: 5 });
  const api = await client.connect();
  const pools = api.menu("/ip pool");
  await pools.add({ name: "client", ranges: "10.6.0.1-10.6.0.9" });
  const row = await pools.where("name", "client").getOnly();
  assert.equal(row.ranges, "10.6.0.1-10.6.0.9");
  await api.menu("/ip pool").where("name", "client").update({ comment: "x" });
  await api.menu("/ip pool").where("name", "client").remove();
  assert.deepEqual(await api.menu("/ip pool").where("name", "client").get(), []);
  await client.close();
}

async function wrong() {
  const api = new RouterOSAPI({ host, user, password: "wrong", timeout: 5 });
  await assert.rejects(api.connect(), (error) => error.errno === "CANTLOGIN" || /password/.test(error.message));
}

plain().then(client).then(wrong).then(
  () => { console.log("node-routeros and routeros-client work"); process.exit(0); },
  (error) => { console.error(error); process.exit(1); },
);
