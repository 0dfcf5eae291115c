// Comes in: a port of Memcached. Goes out: a scripted set of operations by memjs, which speaks the binary protocol.
const { Client } = require("memjs");

async function main(port) {
  const client = Client.create(`127.0.0.1:${port}`);
  await client.set("user:1", "hush", {});
  await client.get("user:1");
  await client.get("nobody");
  await client.delete("user:1");
  client.close();
}

main(Number(process.argv[2]));
