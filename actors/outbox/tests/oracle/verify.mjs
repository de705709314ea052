// Checks signatures with the official library of npm, and those of ed25519, which it does not
// know, with the cryptography of Node.js: a list of cases comes in on standard input, a list of
// what was made of them goes out.

import { createPublicKey, verify } from "node:crypto";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// The library lies in a folder of the build, not beside this file.
const require = createRequire(process.argv[2] + "/");
const { Webhook } = require("standardwebhooks");

// What goes before the 32 bytes of an ed25519 key in SubjectPublicKeyInfo (RFC 8410).
const PUBLIC = Buffer.from("302a300506032b6570032100", "hex");

function symmetric({ secret, headers, body }) {
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64"), headers, { jsonParse: false });
    return "verified";
  } catch (error) {
    return error.message;
  }
}

function asymmetric({ secret, headers, body }) {
  const raw = Buffer.from(secret.replace(/^whpk_/, ""), "base64");
  const key = createPublicKey({ key: Buffer.concat([PUBLIC, raw]), format: "der", type: "spki" });
  const head = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.`;
  const signed = Buffer.concat([Buffer.from(head), Buffer.from(body, "base64")]);
  const signatures = headers["webhook-signature"].split(" ").map((one) => one.split(","));
  const own = signatures.filter(([version]) => version === "v1a");
  const good = own.some(([, text]) => verify(null, signed, key, Buffer.from(text, "base64")));
  return good ? "verified" : "No matching signature found";
}

const cases = JSON.parse(readFileSync(0, "utf8"));
const said = cases.map((one) => (one.secret.startsWith("whpk_") ? asymmetric(one) : symmetric(one)));
process.stdout.write(JSON.stringify(said));
