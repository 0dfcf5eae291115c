// Comes in: a port of MariaDB. Goes out: a scripted set of operations by mysql2, text and binary protocol.
const mysql = require("mysql2/promise");

async function main(port) {
  const client = await mysql.createConnection({
    host: "127.0.0.1",
    port,
    user: "alice",
    password: "hush",
    database: "shop",
  });
  await client.query("SELECT count(*) FROM users WHERE name <> 'hush'");
  await client.execute("SELECT name FROM users WHERE id = ?", [7]);
  await client.execute("SELECT name FROM users WHERE id = ?", [8]);
  await client.execute("INSERT INTO users VALUES (?, ?)", [1, "hush"]).catch(() => {});
  await client.query("SELECT missing FROM nowhere").catch(() => {});
  await client.query("SELECT 'fence'");
  await client.end();
}

main(Number(process.argv[2]));
