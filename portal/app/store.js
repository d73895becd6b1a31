// What the phone keeps: the pairing, the queue, which Bluetooth device is which, and a short record of what arrived.
// Everything lies in IndexedDB, which survives reloading and closing. A capture counts only once its transaction is complete.

const NAME = "afferent-app";
const RECORD = 100;

let opened = null;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => {
      const db = request.result;
      db.createObjectStore("settings");
      db.createObjectStore("items", { keyPath: "number", autoIncrement: true });
      db.createObjectStore("names");
      db.createObjectStore("record", { keyPath: "number", autoIncrement: true });
    };
    request.onsuccess = () => {
      // Another tab with a newer version may upgrade.
      request.result.onversionchange = () => { request.result.close(); opened = null; };
      resolve(request.result);
    };
    request.onerror = () => { opened = null; reject(request.error); };
  });
  return opened;
}

// Runs work in one transaction; resolves with its answer when the transaction is complete, and not before.
async function transaction(stores, mode, work) {
  const db = await open();
  return new Promise((resolve, reject) => {
    // Strict: complete means written to the disk, not only handed to the system.
    const running = db.transaction(stores, mode, { durability: "strict" });
    let answer;
    running.oncomplete = () => resolve(answer?.result ?? undefined);
    running.onabort = () => reject(running.error ?? new Error("The phone's storage refused it."));
    answer = work(running);
  });
}

const read = (store, work) => transaction(store, "readonly", (running) => work(running.objectStore(store)));

export const setting = (key) => read("settings", (store) => store.get(key));

export const set = (key, value) =>
  transaction("settings", "readwrite", (running) => {
    if (value === undefined) running.objectStore("settings").delete(key);
    else running.objectStore("settings").put(value, key);
  });

// How the clinic names a Bluetooth device: { named, label, channels }.
export const nameOf = (device, tenant) => read("names", (store) => store.get(`${tenant}/${device}`));

export const setName = (device, tenant, name) =>
  transaction("names", "readwrite", (running) => {
    running.objectStore("names").put(name, `${tenant}/${device}`);
  });

export const removeName = (device, tenant) =>
  transaction("names", "readwrite", (running) => {
    running.objectStore("names").delete(`${tenant}/${device}`);
  });

// Oldest first.
export const items = () => read("items", (store) => store.getAll());

export const addItem = (item) =>
  transaction("items", "readwrite", (running) => {
    running.objectStore("items").add(item);
  });

export const removeItem = (number) =>
  transaction("items", "readwrite", (running) => {
    running.objectStore("items").delete(number);
  });

// What became of items: those that are done leave the queue and enter the record in the same transaction.
export const settle = (done, changed) =>
  transaction(["items", "record"], "readwrite", (running) => {
    const queue = running.objectStore("items");
    const record = running.objectStore("record");
    for (const { item, entry } of done) {
      queue.delete(item.number);
      record.add(entry);
    }
    for (const item of changed) queue.put(item);
    trim(record);
  });

function trim(record) {
  const all = record.getAllKeys();
  all.onsuccess = () => {
    for (const key of all.result.slice(0, Math.max(0, all.result.length - RECORD))) record.delete(key);
  };
}

// Newest first.
export async function record() {
  const entries = await read("record", (store) => store.getAll());
  return entries.reverse();
}
