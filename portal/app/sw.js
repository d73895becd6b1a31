// Lets the app open without network: its own files, one version of them at a time. Readings never pass through here.

// The server puts a hash of all files here, so that a new version is another worker.
const VERSION = "development";
const CACHE = `afferent-app-${VERSION}`;
const FILES = ["/app/", "/app/app.css", "/app/app.js", "/app/bluetooth.js", "/app/clinic.js", "/app/sender.js", "/app/store.js",
  "/app/manifest.webmanifest", "/app/icon.svg", "/app/icon-maskable.svg"];

self.addEventListener("install", (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: "reload" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const old = (name) => name.startsWith("afferent-app-") && name !== CACHE;
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(old).map((name) => caches.delete(name))))
    .then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== location.origin || !FILES.includes(url.pathname)) return;
  event.respondWith(caches.open(CACHE).then((cache) => cache.match(url.pathname)).then((found) => found ?? fetch(event.request)));
});
