"use strict";
// Shows what /api/v1/cameras says, every two seconds. Text goes in as text, never as markup.
const STATES = [["mask", "Mask"], ["incorrect", "Incorrect"], ["no_mask", "No mask"], ["unknown", "Unknown"]];
const cards = new Map();

function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

function card(name) {
  let c = cards.get(name);
  if (c) return c;
  const root = el("article", "card");
  const picture = el("div", "picture");
  const img = el("img");
  img.alt = "";
  const away = el("div", "away");
  picture.append(img, away);
  const head = el("header");
  const dot = el("span", "dot");
  const state = el("span", "state");
  head.append(dot, el("h2", "", name), state);
  const people = el("dl", "people");
  const counts = STATES.map(([key, label]) => {
    const box = el("div", key);
    const value = el("dd", "", "0");
    box.append(el("dt", "", label), value);
    people.append(box);
    return [key, value];
  });
  const facts = el("p", "facts");
  const stream = el("a", "stream");
  root.append(picture, head, people, facts, stream);
  document.getElementById("cameras").append(root);
  c = { root, img, away, dot, state, counts, facts, stream, loading: false };
  img.addEventListener("load", () => { c.loading = false; img.hidden = false; });
  img.addEventListener("error", () => { c.loading = false; img.hidden = true; });
  cards.set(name, c);
  return c;
}

function show(camera) {
  const c = card(camera.name);
  c.dot.className = "dot " + camera.state;
  c.state.textContent = camera.state === "up" ? "" : camera.state;
  for (const [key, value] of c.counts) value.textContent = camera.people[key];
  const facts = [];
  if (camera.picture) facts.push(camera.picture.width + "×" + camera.picture.height);
  if (camera.picture && camera.picture.fps) facts.push(Math.round(camera.picture.fps * 10) / 10 + " fps");
  if (camera.compliance_ratio !== null) facts.push("mask worn by " + Math.round(camera.compliance_ratio * 100) + " %");
  if (camera.degraded) facts.push(camera.degraded.message);
  facts.push(camera.viewers + (camera.viewers === 1 ? "\u00a0viewer" : "\u00a0viewers"));
  c.facts.textContent = facts.join(" · ");
  c.stream.textContent = camera.stream;
  c.stream.href = camera.stream;
  const down = camera.state !== "up";
  c.away.textContent = camera.failure ? camera.failure.cause + " (" + camera.failure.hint + ")"
    : down ? "connecting…" : "";
  c.away.hidden = !down;
  if (down) c.img.hidden = true;
  else if (!c.loading && !document.hidden) {
    c.loading = true;
    c.img.src = camera.snapshot + "?" + Date.now();
  }
}

// All pages of the list; the rest of the answer is the first one's.
async function all() {
  let body = null;
  for (let cursor = null; body === null || cursor !== null; ) {
    const answer = await fetch("/api/v1/cameras" + (cursor === null ? "" : "?cursor=" + encodeURIComponent(cursor)));
    if (!answer.ok) throw new Error("HTTP " + answer.status);
    const page = await answer.json();
    if (body === null) body = page; else body.cameras.push(...page.cameras);
    cursor = page.next ?? null;
  }
  return body;
}

async function refresh() {
  const note = document.getElementById("note");
  try {
    const body = await all();
    const up = body.cameras.filter((camera) => camera.state === "up").length;
    const problems = body.stores.filter((store) => !store.ok).map((store) => store.problem);
    note.textContent = [up + " of " + body.cameras.length + " cameras up", ...problems].join(" · ");
    const mosaic = document.getElementById("mosaic");
    // Not for who sees some cameras only.
    mosaic.hidden = body.mosaic === null;
    mosaic.textContent = body.mosaic || "";
    if (body.mosaic) mosaic.href = body.mosaic;
    body.cameras.forEach(show);
    const names = new Set(body.cameras.map((camera) => camera.name));
    for (const [name, c] of cards) if (!names.has(name)) { c.root.remove(); cards.delete(name); }
  } catch (error) {
    note.textContent = "Maskwatch does not answer (" + error.message + ")";
  }
  setTimeout(refresh, 2000);
}
refresh();
