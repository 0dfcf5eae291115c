// Comes in: a port of PostgreSQL. Goes out: a scripted set of operations by node-postgres.
const { Client } = require("pg");

async function main(port) {
  const client = new Client({ host: "127.0.0.1", port, user: "postgres", database: "shop", ssl: false });
  await client.connect();
  await client.query("SELECT count(*) FROM users WHERE name <> 'hush'");
  await client.query("SELECT name FROM users WHERE id = $1", [7]);
  const named = { name: "rename", text: "UPDATE users SET name = $1 WHERE id = $2" };
  await client.query({ ...named, values: ["hush", 1] });
  await client.query({ ...named, values: ["hush", 2] });
  await client.query("SELECT missing FROM nowhere").catch(() => {});
  await client.query("SELECT 'fence'");
  await client.end();
}

main(Number(process.argv[2]));
