// Health devices over Web Bluetooth: the services of the Bluetooth SIG, their characteristics, and what they send. The bytes
// go into the queue as they came; what they mean only the clinic's server says.

import * as store from "./store.js";

// Assigned numbers of the Bluetooth SIG (16-bit UUIDs): services, and the characteristics that carry measurements.
const SERVICES = [
  { service: 0x1810, title: "Blood pressure", channels: [0x2a35] },
  { service: 0x181d, title: "Weight", channels: [0x2a9d] },
  { service: 0x181b, title: "Body composition", channels: [0x2a9c] },
  { service: 0x1809, title: "Temperature", channels: [0x2a1c] },
  // The context comes after its measurement, and both are asked for by the record access control point.
  { service: 0x1808, title: "Glucose", channels: [0x2a34, 0x2a18], control: 0x2a52 },
  { service: 0x1822, title: "Pulse oximeter", channels: [0x2a5e, 0x2a5f] },
  { service: 0x180d, title: "Heart rate", channels: [0x2a37] },
];
// Record Access Control Point: report stored records (1), all of them (1).
const ALL_RECORDS = Uint8Array.of(0x01, 0x01);
const PAUSES = [1_000, 2_000, 5_000, 10_000, 30_000];

const channelName = (number) => number.toString(16).toUpperCase();

export const available = () => Boolean(navigator.bluetooth?.requestDevice);

// What a channel measures, for people.
export function titleOf(channel) {
  const found = SERVICES.find((entry) => entry.channels.some((number) => channelName(number) === channel));
  return found?.title ?? channel;
}

// Lets the person choose a device. Throws what the browser throws: NotFoundError when nothing was chosen.
export function choose() {
  const services = SERVICES.map((entry) => entry.service);
  return navigator.bluetooth.requestDevice({
    filters: services.map((service) => ({ services: [service] })),
    optionalServices: services,
  });
}

// How a device is named that the clinic has not paired with this phone. A browser tells neither address nor serial number, but
// an id that it made for this app: it stays the same while the browser keeps its permission for the device.
export function strangersName(device) {
  const id = device.id.replace(/[^A-Za-z0-9]/g, "").slice(0, 10);
  const called = (device.name ?? "").replace(/[\u0000-\u001f\u007f]/g, "").trim().slice(0, 80) || "Bluetooth device";
  return `${called} #${id}`;
}

// One device that is listened to.
export class Listener {
  // Characteristics that are listened to already: a browser may give the same ones again after a connection was lost.
  #heard = new WeakSet();

  // `name` is { named, label, channels }: how items name the device, what people call it, and the channels of its model
  // (none for all). `tell` is called whenever its state changes, `captured` after each value that is safely kept.
  constructor(device, name, tenant, { tell, captured }) {
    Object.assign(this, { device, name, tenant, tell, captured, state: "connecting", problem: "", stopped: false, tries: 0 });
    device.addEventListener("gattserverdisconnected", () => this.#again("Out of reach, or switched off."));
  }

  // Connects, and connects again until it is stopped: devices switch off after each measurement.
  async connect() {
    this.#become("connecting", this.problem);
    try {
      const server = await this.device.gatt.connect();
      this.problem = "";
      const count = await this.#subscribe(server);
      if (count === 0) throw new Error("It has no measurement that the clinic can read from it.");
      this.tries = 0;
      this.#become("listening", this.problem);
    } catch (error) {
      if (!this.device.gatt.connected) return this.#again(error.message);
      this.#become("failed", error.message);
    }
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    this.device.gatt.disconnect();
  }

  #become(state, problem) {
    Object.assign(this, { state, problem });
    this.tell();
  }

  #again(problem) {
    if (this.stopped) return;
    const pause = PAUSES[Math.min(this.tries++, PAUSES.length - 1)];
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.connect(), pause);
    this.#become("away", problem);
  }

  async #subscribe(server) {
    let count = 0;
    for (const { service: number, channels, control } of SERVICES) {
      const wanted = channels.filter((channel) => this.#speaks(channelName(channel)));
      if (wanted.length === 0) continue;
      const service = await server.getPrimaryService(number).catch(absent);
      if (!service) continue;
      for (const channel of wanted) {
        const characteristic = await service.getCharacteristic(channel).catch(absent);
        if (!characteristic) continue;
        if (!this.#heard.has(characteristic)) {
          characteristic.addEventListener("characteristicvaluechanged", (event) => this.#keep(channelName(channel), event.target.value));
          this.#heard.add(characteristic);
        }
        await characteristic.startNotifications();
        count += 1;
      }
      if (control) await this.#askForRecords(service, control);
    }
    return count;
  }

  #speaks(channel) {
    return !this.name.channels?.length || this.name.channels.includes(channel);
  }

  // What the device stored while nobody listened. That it cannot be asked is told, and hinders nothing else.
  async #askForRecords(service, control) {
    try {
      const point = await service.getCharacteristic(control).catch(absent);
      if (!point) return;
      // Its answers are no measurements; without subscribing to them a meter refuses the request.
      await point.startNotifications();
      await point.writeValueWithResponse(ALL_RECORDS);
    } catch (error) {
      this.problem = `It could not be asked for what it stored: ${error.message}`;
    }
  }

  async #keep(channel, value) {
    if (this.stopped) return;
    // First the time, then the bytes: the browser uses the same buffer for the next value.
    const capturedAt = new Date().toISOString();
    const bytes = new Uint8Array(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength));
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    const item = { id: crypto.randomUUID(), tenant: this.tenant, device: this.name.named, label: this.name.label,
      channel, hex, capturedAt, state: "waiting" };
    try {
      await store.addItem(item);
    } catch (error) {
      this.#become("failed", `A value could not be kept on this phone: ${error.message}`);
      return;
    }
    this.captured(item);
  }
}

// A device has the services that it has.
function absent(error) {
  if (error.name === "NotFoundError") return null;
  throw error;
}
