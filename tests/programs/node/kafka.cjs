// Comes in: a port of Kafka and one to wait at. Goes out: a scripted set of operations by kafkajs, after the latter was
// connected to and closed. Refuses nothing.
const net = require("node:net");
const { once } = require("node:events");
const { Kafka, logLevel } = require("kafkajs");

const [server, gate] = process.argv.slice(2);
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const topic = "orders";

async function main() {
  const brokers = [`127.0.0.1:${server}`];
  const kafka = (retries) => {
    const retry = { retries, initialRetryTime: 50, maxRetryTime: 250 };
    return new Kafka({ clientId: "shop", brokers, logLevel: logLevel.NOTHING, retry });
  };
  const admin = kafka(40).admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true });
  // Nobody makes the topic that is missing.
  const producer = kafka(1).producer({ allowAutoTopicCreation: false });
  await producer.connect();
  console.log("connected");
  await once(net.connect(gate, "127.0.0.1"), "close");

  const messages = [{ key: "k", value: "hush", headers: { traceparent } }];
  await producer.send({ topic, messages });
  await producer.send({ topic, messages: [...messages, ...messages, { key: "k", value: null }] });
  await producer.send({ topic, messages, acks: 0 });
  await producer.send({ topic: "missing", messages }).catch(() => {});

  // A broker that has just started has no coordinator of groups for a while.
  const consumer = kafka(40).consumer({ groupId: "workers", maxWaitTimeInMs: 100 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let seen = 0;
  await new Promise((resolve, reject) => {
    const eachMessage = async () => void (++seen === 5 && resolve());
    consumer.run({ eachMessage }).catch(reject);
  });
  await consumer.commitOffsets([{ topic, partition: 0, offset: "5" }]);
  await consumer.disconnect();
  await producer.disconnect();
  await admin.disconnect();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
