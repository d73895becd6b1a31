// What the app asks the clinic's server, besides sending: pairing with a code, and which devices it may speak for.

import * as sender from "./sender.js";
import * as store from "./store.js";

const APP = { name: "Afferent web app", version: "1" };

// What to tell the person when the server does not answer with what was asked.
export class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path, options) {
  let response;
  try {
    response = await fetch(path, { ...options, credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(20_000) });
  } catch {
    throw new Refusal("The clinic's server cannot be reached. Is the phone online?", 0);
  }
  const body = await response.json().catch(() => null);
  if (response.ok && body) return body;
  const wait = response.headers.get("Retry-After");
  const more = response.status === 429 && wait ? ` Try again in ${wait} seconds.` : "";
  throw new Refusal((body?.detail ?? `The server answered ${response.status}.`) + more, response.status);
}

// Makes this phone an installation. Throws a Refusal with the server's words.
export async function pair(code) {
  const platform = navigator.userAgentData?.platform || navigator.platform || "web";
  const body = JSON.stringify({ code, installation: { ...APP, platform: platform.slice(0, 100) } });
  const paired = await ask("/ingest/v1/apps/pair", { method: "POST", headers: { "Content-Type": "application/json" }, body });
  await store.set("pairing", paired);
  // Otherwise a phone that runs out of room may throw the queue away.
  await navigator.storage?.persist?.();
  return paired;
}

// Asks which devices this phone may speak for, and keeps the answer for when there is no network. Never throws.
export async function refresh() {
  const pairing = await store.setting("pairing");
  if (!pairing?.token) return;
  try {
    const me = await ask("/ingest/v1/apps/me", { headers: { Authorization: `Bearer ${pairing.token}` } });
    await store.set("pairing", { ...pairing, name: me.name, tenant: me.tenant, devices: me.devices });
    await sender.told(200);
  } catch (error) {
    // Without an answer it is as it was.
    await sender.told(error.status, error.message, pairing.token);
  }
}
