// Sends what waits. An item leaves the queue only when its own answer says that it is committed (200, 201 or 202); whatever
// the server refuses stays, with the server's reason. One tab sends at a time.

import * as store from "./store.js";

const BATCH = 200;
const TIMEOUT = 60_000;
const FIRST_PAUSE = 2_000;
const LONGEST_PAUSE = 300_000;
// How often a phone that was deactivated asks again.
const DEACTIVATED_PAUSE = 300_000;

let timer = 0;
let pause = FIRST_PAUSE;
let batch = BATCH;
let changed = () => {};

// What hinders sending: { kind: "deactivated" | "offline" | "server", reason, until }; null for nothing.
export let hindrance = null;

export function onChange(listener) {
  changed = listener;
}

export function start() {
  addEventListener("online", () => now());
  addEventListener("offline", () => { hinder("offline", "There is no network."); changed(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) now(); });
  now();
}

// Tries at once.
export function now() {
  pause = FIRST_PAUSE;
  schedule(0);
}

// Something new waits. When sending is hindered it waits with the rest.
export function captured() {
  if (!hindrance) schedule(0);
}

// What the clinic said to another question than sending: 401 and 403 hold for sending too, and so does their end.
export async function told(status, reason, token) {
  if (status === 401) await unpair(reason, token);
  else if (status === 403) hinder("deactivated", reason);
  else if (status === 200 && hindrance?.kind === "deactivated") now();
}

function schedule(milliseconds) {
  clearTimeout(timer);
  timer = setTimeout(turn, milliseconds);
}

async function turn() {
  let next;
  try {
    next = await navigator.locks.request("afferent-send", { ifAvailable: true }, (lock) => lock && send());
  } catch (error) {
    next = hinder("server", `The phone could not send: ${error.message}`, backOff());
  }
  // null: another tab is at it.
  if (next === null) schedule(FIRST_PAUSE);
  else if (typeof next === "number") schedule(next);
  await changed();
}

function hinder(kind, reason, wait) {
  hindrance = { kind, reason, until: wait === undefined ? null : Date.now() + wait };
  return wait;
}

// Waits longer each time; not everybody at the same moment.
function backOff(atLeast) {
  const wait = Math.max(atLeast ?? 0, pause * (0.75 + Math.random() / 2));
  pause = Math.min(pause * 2, LONGEST_PAUSE);
  return wait;
}

// Sends one batch. Answers the milliseconds until the next try; nothing when there is none to make.
async function send() {
  const pairing = await store.setting("pairing");
  if (!pairing?.token) return undefined;
  const waiting = (await store.items()).filter((item) => item.state === "waiting" && item.tenant === pairing.tenant.id);
  if (waiting.length === 0) {
    if (hindrance?.kind !== "deactivated") hindrance = null;
    return undefined;
  }
  if (!navigator.onLine) return hinder("offline", "There is no network.");
  const chosen = waiting.slice(0, batch);
  const frames = chosen.map(({ id, device, channel, hex, capturedAt }) => ({ id, device, channel, hex, capturedAt }));
  let response, body;
  try {
    response = await fetch("/ingest/v1/hubs/uplinks", {
      method: "POST",
      headers: { "Authorization": `Bearer ${pairing.token}`, "Content-Type": "application/vnd.afferent.uplink+json" },
      body: JSON.stringify({ frames }),
      signal: AbortSignal.timeout(TIMEOUT),
      credentials: "omit",
      cache: "no-store",
    });
    body = await response.json();
  } catch {
    // No answer, or none that can be read: whether it arrived is not known, so all of it stays and is sent again.
    return hinder("offline", "The clinic's server could not be reached.", backOff());
  }
  if (Array.isArray(body?.items)) await settle(chosen, body.items);
  return next(response, body, chosen, waiting.length, pairing.token);
}

// When to send again, by the answer to the whole.
async function next(response, body, chosen, all, token) {
  const reason = body?.detail ?? body?.reason ?? `The server answered ${response.status}.`;
  const retryAfter = 1000 * (Number.parseInt(response.headers.get("Retry-After"), 10) || 0);
  const items = Array.isArray(body?.items);
  switch (true) {
    case response.status === 401:
      // The token does not hold any more: the queue stays, nothing is tried until the phone is paired anew.
      await unpair(reason, token);
      return undefined;
    case response.status === 403 && !items:
      return hinder("deactivated", reason, DEACTIVATED_PAUSE);
    case response.status === 413 && chosen.length > 1:
      batch = Math.ceil(chosen.length / 2);
      return 0;
    case response.status === 429 || response.status >= 500:
      return hinder("server", reason, backOff(retryAfter));
    case !items && response.status >= 400:
      // Not one item was looked at: what was sent cannot be right, and would not become so.
      await store.settle([], chosen.map((item) => ({ ...item, state: "refused", status: response.status, reason })));
      break;
    case items && body.items.some((item) => item.status === 429):
      return hinder("server", "The clinic has too much of devices that are not paired; pair or discard them there.", backOff(retryAfter));
    default:
      break;
  }
  hindrance = null;
  pause = FIRST_PAUSE;
  return all > chosen.length ? 0 : undefined;
}

async function unpair(reason, token) {
  hindrance = null;
  const pairing = await store.setting("pairing");
  // Paired anew meanwhile, in another tab.
  if (pairing?.token !== token) return;
  await store.set("pairing", { ...pairing, token: undefined, ended: reason });
}

// Each item's own answer, found by its id.
async function settle(chosen, answers) {
  const byId = new Map(answers.filter((answer) => answer.id).map((answer) => [answer.id, answer]));
  const done = [];
  const changes = [];
  for (const item of chosen) {
    const answer = byId.get(item.id);
    if (!answer) continue;
    const { status, outcome, reason } = answer;
    if (status === 200 || status === 201 || status === 202) {
      const entry = { at: new Date().toISOString(), capturedAt: item.capturedAt, label: item.label, channel: item.channel,
        status, outcome, reason, results: answer.observations?.length ?? 0 };
      done.push({ item, entry });
    } else if (status === 429 || status >= 500) {
      changes.push({ ...item, reason, status });
    } else {
      changes.push({ ...item, state: "refused", reason, status });
    }
  }
  await store.settle(done, changes);
}

// What was refused is tried again: all of it, or what may be taken by now because somebody switched a device on.
export async function again(which) {
  const refused = (await store.items()).filter((item) => item.state === "refused" && which(item));
  if (refused.length > 0) await store.settle([], refused.map((item) => ({ ...item, state: "waiting" })));
}
