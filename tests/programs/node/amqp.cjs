// Comes in: a port of RabbitMQ and one to wait at. Goes out: a scripted set of operations by amqplib, after the latter was
// connected to and closed. Refuses nothing.
const net = require("node:net");
const { once } = require("node:events");
const amqp = require("amqplib");

const [server, gate] = process.argv.slice(2);
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

/** The next message of a consumer. */
function next(channel, queue, options) {
  return new Promise((resolve, reject) => {
    channel.consume(queue, resolve, options).catch(reject);
  });
}

async function main() {
  const connection = await amqp.connect(`amqp://guest:guest@127.0.0.1:${server}`);
  console.log("connected");
  await once(net.connect(gate, "127.0.0.1"), "close");

  const channel = await connection.createConfirmChannel();
  await channel.assertExchange("shop", "fanout", { autoDelete: true });
  const { queue } = await channel.assertQueue("", { exclusive: true });
  await channel.bindQueue(queue, "shop", "");
  const options = { messageId: "m-1", correlationId: "c-1", headers: { traceparent } };
  for (let number = 0; number < 3; number++) channel.publish("shop", "new", Buffer.from("hush"), options);
  await channel.waitForConfirms();
  const got = await channel.get(queue);
  channel.nack(got, false, false);
  await channel.prefetch(1);
  channel.ack(await next(channel, queue, { consumerTag: "worker" }));
  await channel.cancel("worker");
  await channel.purgeQueue(queue);
  await connection.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
