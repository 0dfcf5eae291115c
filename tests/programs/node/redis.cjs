// Comes in: a port of Redis. Goes out: a scripted set of operations by ioredis.
const Redis = require("ioredis");

async function main(port) {
  const client = new Redis({ host: "127.0.0.1", port, db: 2 });
  await client.set("user:1", "hush");
  await client.get("user:1");
  await client.lpush("user:1", "hush").catch(() => {});
  await client.multi().set("stock", "5").incr("stock").exec();
  const pipeline = client.pipeline();
  for (let number = 0; number < 20; number++) pipeline.get(`key:${number}`);
  await pipeline.exec();
  await client.get("fence");
  client.disconnect();
}

main(Number(process.argv[2]));
