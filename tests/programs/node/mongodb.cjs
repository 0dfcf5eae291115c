// Comes in: a port of a MongoDB server. Goes out: a scripted set of operations by MongoDB's driver.
const { MongoClient } = require("mongodb");

async function main(port) {
  const options = { directConnection: true, serverMonitoringMode: "poll", heartbeatFrequencyMS: 600000, maxPoolSize: 1 };
  const client = await MongoClient.connect(`mongodb://127.0.0.1:${port}/`, options);
  const users = client.db("shop").collection("users");
  await users.insertOne({ _id: 1, name: "hush" });
  await users.insertMany([2, 3, 4].map((id) => ({ _id: id, name: "hush" })));
  await users.insertOne({ _id: 1, name: "hush" }).catch(() => {});
  await users.find({ name: "hush" }).batchSize(3).toArray();
  await users.updateOne({ _id: 1 }, { $set: { name: "hush" } });
  await users.aggregate([{ $match: { name: "hush" } }, { $count: "count" }]).toArray();
  await client.db("shop").command({ nonsense: "hush" }).catch(() => {});
  await users.drop();
  await client.db("shop").command({ ping: 1 });
  await client.close();
}

main(Number(process.argv[2]));
