// Comes in: a port of Redis. Goes out: what one connection waits for, and another brings, by ioredis.
const { once } = require("events");
const Redis = require("ioredis");

async function main(port) {
  const connect = () => new Redis({ host: "127.0.0.1", port });
  const [subscriber, waiter, client] = [connect(), connect(), connect()];
  const news = once(subscriber, "message");
  await subscriber.subscribe("news", "more");
  await client.publish("news", "hush");
  await news;
  await subscriber.unsubscribe("news", "more");

  // Sent before what it waits for: the other connection asks only when this one's command is with the server.
  const blocked = async () => {
    while (!/^blocked_clients:1/m.test(await client.info("clients")));
  };
  const popped = waiter.blpop("queue", 0);
  await blocked();
  await client.rpush("queue", "hush");
  await popped;
  const read = waiter.xread("BLOCK", 0, "STREAMS", "stream", "$");
  await blocked();
  await client.xadd("stream", "*", "field", "hush");
  await read;
  await client.get("fence");
  for (const connection of [subscriber, waiter, client]) connection.disconnect();
}

main(Number(process.argv[2]));
