// The page: what is paired, what is connected, what waits, what was refused, what arrived. It shows when something was
// measured and what became of it, never a number: what the bytes say only the clinic's server reads.

import * as bluetooth from "./bluetooth.js";
import * as clinic from "./clinic.js";
import * as sender from "./sender.js";
import * as store from "./store.js";

const by = (id) => document.getElementById(id);
// Cards of one list at most; the count above it tells of all.
const SHOWN = 50;
const listeners = new Map();
const tabs = new BroadcastChannel("afferent-app");

// ── Words ────────────────────────────────────────────────────────────────────────────────────────────────────────────

const OUTCOMES = {
  stored: ["good", "Arrived."],
  duplicate: ["good", "Arrived. The clinic had it already."],
  nothing: ["good", "Arrived. There was nothing to store in it."],
  unclaimed: ["warn", "With the clinic, which has not paired this device with your phone yet."],
  unassigned: ["warn", "With the clinic, which has nobody recorded for this device at that time."],
  held: ["warn", "With the clinic. Somebody looks at it first."],
  incomplete: ["warn", "With the clinic, which waits for more of it from the device."],
  undecodable: ["warn", "With the clinic, which could not read it."],
  quarantined: ["warn", "With the clinic, which could not store it yet."],
};

const STATES = {
  connecting: ["", "Connecting …"],
  listening: ["good", "Connected. Measure now."],
  away: ["warn", "Not connected. It is tried again when the device is on."],
  failed: ["bad", "Cannot be used."],
};

function outcomeOf(entry) {
  const [kind, text] = OUTCOMES[entry.outcome] ?? ["warn", `With the clinic: ${entry.outcome}.`];
  return [kind, entry.status === 202 && entry.reason ? `${text} (${entry.reason})` : text];
}

const when = new Intl.DateTimeFormat(undefined, { dateStyle: "short", timeStyle: "short" });

// ── Building blocks ──────────────────────────────────────────────────────────────────────────────────────────────────

function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function card(head, kind, text, ...buttons) {
  const made = element("li", {}, ...head, element("div", { className: `what ${kind}`, textContent: text }));
  if (buttons.length > 0) made.append(element("div", { className: "row" }, ...buttons));
  return made;
}

// What was measured, when, and with which device.
const headOf = (item) => [
  element("div", { className: "head" },
    element("strong", { textContent: bluetooth.titleOf(item.channel) }),
    element("time", { dateTime: item.capturedAt, textContent: when.format(new Date(item.capturedAt)) })),
  element("div", { className: "what", textContent: item.label }),
];

function button(text, described, action) {
  const made = element("button", { type: "button", className: "plain small", textContent: text });
  made.setAttribute("aria-label", `${text}: ${described}`);
  made.addEventListener("click", action);
  return made;
}

const titleOf = (item) => `${bluetooth.titleOf(item.channel)}, ${item.label}`;

// ── What is shown ────────────────────────────────────────────────────────────────────────────────────────────────────

let drawing = Promise.resolve();

// One after the other, so that an older state never overwrites a newer one.
function draw() {
  drawing = drawing.then(drawNow, drawNow);
  return drawing;
}

async function drawNow() {
  const [pairing, items, record] = await Promise.all([store.setting("pairing"), store.items(), store.record()]);
  const paired = Boolean(pairing?.token);
  by("clinic").textContent = paired ? `${pairing.tenant.name} · ${pairing.name}` : "This phone is not paired with a clinic.";
  by("pairing").hidden = paired;
  by("devices").hidden = !paired;
  by("unpair").hidden = !paired;
  drawQueue(items, pairing);
  drawStatus(pairing, items);
  by("arrived").hidden = !pairing;
  by("arrived-none").hidden = record.length > 0;
  by("arrived-list").replaceChildren(...record.slice(0, SHOWN).map((entry) => card(headOf(entry), ...outcomeOf(entry))));
  by("device-list").replaceChildren(...[...listeners.values()].map(deviceCard));
}

function drawQueue(items, pairing) {
  const waiting = items.filter((item) => item.state === "waiting");
  const refused = items.filter((item) => item.state === "refused");
  by("waiting").hidden = !pairing;
  by("waiting-count").textContent = waiting.length;
  by("waiting-none").hidden = waiting.length > 0;
  by("send").hidden = waiting.length === 0 || !pairing?.token;
  by("waiting-list").replaceChildren(...waiting.slice(0, SHOWN).map((item) => {
    const elsewhere = pairing && item.tenant !== pairing.tenant?.id;
    const text = elsewhere ? "Measured for another clinic: it is not sent to this one." : item.reason ?? "Kept on this phone.";
    return elsewhere ? card(headOf(item), "warn", text, remover(item)) : card(headOf(item), "", text);
  }));
  by("refused").hidden = refused.length === 0;
  by("refused-count").textContent = refused.length;
  by("refused-list").replaceChildren(
    ...refused.slice(0, SHOWN).map((item) => card(headOf(item), "bad", item.reason ?? `Status ${item.status}`, remover(item))),
  );
}

function remover(item) {
  const described = `${titleOf(item)}, ${when.format(new Date(item.capturedAt))}`;
  return button("Remove", described, async () => {
    if (!confirm(`Remove this reading from the phone? The clinic does not have it.\n\n${described}`)) return;
    await store.removeItem(item.number);
    changed();
  });
}

function drawStatus(pairing, items) {
  const waiting = items.filter((item) => item.state === "waiting").length;
  const kept = waiting > 0 ? ` ${waiting === 1 ? "1 reading is" : `${waiting} readings are`} kept on this phone.` : "";
  const hindrance = sender.hindrance;
  let text = "";
  let bad = false;
  if (pairing?.ended && !pairing.token) {
    [text, bad] = [`This phone is no longer paired: ${pairing.ended}${kept} Ask your clinic for a new code.`, true];
  } else if (hindrance?.kind === "deactivated") {
    [text, bad] = [`${hindrance.reason}${kept}`, true];
  } else if (pairing?.token && hindrance && waiting > 0) {
    text = `${hindrance.reason}${kept} It is tried again by itself.`;
  } else if (pairing?.token && !navigator.onLine) {
    text = "There is no network. You can measure all the same: readings are kept, and sent later.";
  }
  const notice = by("status");
  // Only when it is another text: a screen reader says it each time it is set.
  if (notice.textContent !== text) notice.textContent = text;
  notice.hidden = text === "";
  notice.classList.toggle("bad", bad);
}

function deviceCard(listener) {
  const [kind, text] = STATES[listener.state];
  const more = listener.problem && ["failed", "listening"].includes(listener.state) ? ` ${listener.problem}` : "";
  const stop = button("Disconnect", listener.name.label, () => {
    listener.stop();
    listeners.delete(listener.device.id);
    draw();
  });
  const rename = button("Not this device", listener.name.label, async () => {
    listener.stop();
    listeners.delete(listener.device.id);
    await store.removeName(listener.device.id, listener.tenant);
    draw();
  });
  const head = element("div", { className: "head" }, element("strong", { textContent: listener.name.label }));
  return card([head], kind, text + more, stop, rename);
}

function changed() {
  tabs.postMessage("changed");
  return draw();
}

// ── Connecting a device ──────────────────────────────────────────────────────────────────────────────────────────────

async function connect() {
  by("connect-problem").textContent = "";
  let device;
  try {
    device = await bluetooth.choose();
  } catch (error) {
    // Nothing was chosen: that is no problem.
    if (error.name !== "NotFoundError") by("connect-problem").textContent = error.message;
    return;
  }
  const pairing = await store.setting("pairing");
  // Which devices there are may have changed since; without network it is as it was.
  await clinic.refresh();
  const name = (await knownName(device, pairing.tenant.id)) ?? (await askName(device));
  if (name) await listen(device, name, pairing.tenant.id);
}

// The name that was chosen before, as long as the clinic still pairs it with this phone, or has begun to.
async function knownName(device, tenant) {
  const chosen = await store.nameOf(device.id, tenant);
  if (!chosen) return undefined;
  const current = ((await store.setting("pairing")).devices ?? []).find((entry) => entry.named === chosen.named);
  if (current) return nameFrom(device, current);
  return chosen.stranger ? chosen : undefined;
}

const nameFrom = (device, entry) => ({
  named: entry.named,
  label: `${device.name || entry.title}, serial number ${entry.serial}`,
  channels: sigChannels(entry.channels),
});

// A model may also speak on channels that are no characteristic of the SIG; then it is not narrowed.
const sigChannels = (channels) => (channels.every((channel) => /^2A[0-9A-F]{2}$/.test(channel)) ? channels : []);

async function askName(device) {
  const { devices = [] } = await store.setting("pairing");
  const stranger = bluetooth.strangersName(device);
  const claimed = devices.find((entry) => entry.named === stranger);
  if (claimed) return keepName(device, nameFrom(device, claimed));
  const choices = devices.map((entry) => ({ title: entry.title, detail: `Serial number ${entry.serial}`, name: nameFrom(device, entry) }));
  choices.push({
    title: "None of these",
    detail: `What it measures waits at the clinic until it is paired as “${stranger}”.`,
    name: { named: stranger, label: stranger, channels: [], stranger: true },
  });
  by("which-found").textContent = device.name || "a device without a name";
  const legend = by("which-choices").firstElementChild;
  by("which-choices").replaceChildren(legend, ...choices.map((choice, index) => element("label", {},
    element("input", { type: "radio", name: "which", value: String(index), required: true }),
    element("span", {}, element("strong", { textContent: choice.title }), element("br"), choice.detail))));
  const dialog = by("which");
  dialog.returnValue = "";
  dialog.showModal();
  await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  const chosen = dialog.querySelector("input:checked");
  if (dialog.returnValue !== "choose" || !chosen) return undefined;
  return keepName(device, choices[Number(chosen.value)].name);
}

async function keepName(device, name) {
  await store.setName(device.id, (await store.setting("pairing")).tenant.id, name);
  return name;
}

async function listen(device, name, tenant) {
  listeners.get(device.id)?.stop();
  const captured = async () => { await changed(); sender.captured(); };
  const listener = new bluetooth.Listener(device, name, tenant, { tell: draw, captured });
  listeners.set(device.id, listener);
  await listener.connect();
}

// Devices that the browser still lets this app speak to, without asking.
async function reconnect() {
  const pairing = await store.setting("pairing");
  if (!pairing?.token || !navigator.bluetooth?.getDevices) return;
  for (const device of await navigator.bluetooth.getDevices()) {
    const name = await knownName(device, pairing.tenant.id);
    if (name && !listeners.has(device.id)) listen(device, name, pairing.tenant.id);
  }
}

// ── Pairing ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function pair(event) {
  event.preventDefault();
  const submit = event.target.querySelector("button");
  by("pair-problem").textContent = "";
  submit.disabled = true;
  try {
    const { tenant } = await clinic.pair(by("code").value);
    by("code").value = "";
    // What is measured from now on is this clinic's.
    for (const [id, listener] of listeners) {
      if (listener.tenant === tenant.id) continue;
      listener.stop();
      listeners.delete(id);
    }
    await clinic.refresh();
    sender.now();
  } catch (error) {
    by("pair-problem").textContent = error.message;
  }
  submit.disabled = false;
  await changed();
}

// A link or QR code brings the code behind the #, which reaches no server. It is filled in, not used: pairing is the person's
// act, for readings go to whoever made the code.
async function codeFromLink() {
  const code = new URLSearchParams(location.hash.slice(1)).get("code");
  if (!code) return;
  history.replaceState(null, "", location.pathname);
  const pairing = await store.setting("pairing");
  if (pairing?.token) {
    by("connect-problem").textContent = `This phone is paired with ${pairing.tenant.name} already. Unpair it first to use a new code.`;
    return;
  }
  by("code").value = code;
}

async function unpair() {
  const pairing = await store.setting("pairing");
  if (!confirm(`Unpair this phone from ${pairing.tenant.name}? Readings that wait stay on the phone until it is paired again.`)) return;
  for (const listener of listeners.values()) listener.stop();
  listeners.clear();
  await store.set("pairing", { ...pairing, token: undefined, ended: "You unpaired it." });
  await changed();
}

// ── Start ────────────────────────────────────────────────────────────────────────────────────────────────────────────

async function start() {
  by("pair").addEventListener("submit", pair);
  by("connect").addEventListener("click", connect);
  by("unpair").addEventListener("click", unpair);
  by("send").addEventListener("click", () => sender.now());
  by("again").addEventListener("click", async () => { await sender.again(() => true); await changed(); sender.now(); });
  addEventListener("hashchange", () => codeFromLink().then(draw));
  tabs.addEventListener("message", draw);
  if (!bluetooth.available()) {
    by("connect").disabled = true;
    by("connect-problem").textContent = "This browser cannot reach Bluetooth devices. Use Chrome or Edge on Android, Windows, macOS or Linux.";
  }
  navigator.serviceWorker?.register("/app/sw.js", { scope: "/app/" }).catch(() => {});
  await codeFromLink();
  await draw();
  sender.onChange(changed);
  // A device that was switched off at the clinic may be on again; what cannot become right is not tried by itself.
  await sender.again((item) => item.status === 403);
  sender.start();
  await clinic.refresh();
  await draw();
  await reconnect();
}

start();
