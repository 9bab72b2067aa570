"use strict";
const album = JSON.parse(document.getElementById("album").textContent);
const { sheet, sections, paths, dates } = album;
const PER_SHEET = sheet.columns * sheet.columns;
const PER_CHUNK = 240;
const FIRST = 48; // pictures of a cluster before "Show all"
const GROUPS = 60; // groups of near-duplicates before it
const get = (id) => document.getElementById(id);
const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text; // never as HTML
  return element;
}

// Names. Of what a file is called, control characters are made visible, and bytes that are no UTF-8
// (they arrive as lone surrogates, one each) become replacement characters.
const visible = (text) =>
  text
    .replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\ud800-\udfff]/gu, "\ufffd");
const label = (at) => (paths ? visible(paths[at]) : `row ${album.rows[at]}`);
const key = `narrows-gallery:${album.identity}`;
let names = {};
try {
  names = JSON.parse(localStorage.getItem(key)) || {};
} catch {
  names = {};
}
const KNOWN = -2;
const standard = (cluster) => (cluster === KNOWN ? "Known pictures" : cluster < 0 ? "In no cluster" : `Cluster ${cluster}`);
const nameOf = (cluster) => names[cluster] || standard(cluster);

function rename(cluster, name) {
  const changed = name.trim();
  if (changed && changed !== standard(cluster)) names[cluster] = changed;
  else delete names[cluster];
  try {
    localStorage.setItem(key, JSON.stringify(names));
  } catch {
    get("status").textContent = "This browser keeps no names: save them before you leave.";
  }
  for (const element of document.querySelectorAll(`[data-name-of="${cluster}"]`)) element.textContent = nameOf(cluster);
}

// A path as a URL, such bytes as themselves.
function url(path) {
  const parts = path.split(/([\udc80-\udcff])/u);
  const quoted = parts.map((part, i) => (i % 2 ? `%${(part.charCodeAt(0) & 0xff).toString(16)}` : encodeURIComponent(part)));
  return quoted.join("").replaceAll("%2F", "/");
}

// Pictures: a place in a sheet, drawn when it comes near the window. Percentages of a background's
// position are of the room that it leaves: (place's offset) / (sheet's side - thumbnail's side).
function draw(element, file, place) {
  const { columns, margin } = sheet;
  const along = (place, side) => (100 * (place * (side + 2 * margin) + margin)) / (columns * (side + 2 * margin) - side);
  const scaled = (side) => (100 * columns * (side + 2 * margin)) / side;
  element.style.backgroundImage = `url("${file}")`;
  element.style.backgroundSize = `${scaled(sheet.width)}% ${scaled(sheet.height)}%`;
  element.style.backgroundPosition = `${along(place % columns, sheet.width)}% ${along(Math.floor(place / columns), sheet.height)}%`;
}
const file = (name, at) => `${name}-${String(Math.floor(at / PER_SHEET)).padStart(3, "0")}${sheet.suffix}`;
const drawAt = (element, at, name = "pictures") => draw(element, file(name, at), at % PER_SHEET);

const near = new IntersectionObserver(
  (entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      near.unobserve(target);
      for (const element of target.querySelectorAll("[data-at]")) drawAt(element, Number(element.dataset.at), element.dataset.sheet);
    }
  },
  { rootMargin: "800px" },
);

function picture(at, name) {
  const element = make("div", "picture");
  element.dataset.at = at;
  if (name) element.dataset.sheet = name;
  return element;
}

const groupOf = new Map();
for (const group of album.groups) for (const at of group) groupOf.set(at, group);
const outliers = new Set(album.outliers);
const sectionOf = (at) => sections.find(({ first, size }) => at >= first && at < first + size);

function tile(at, badge) {
  const button = make("button", "tile");
  button.type = "button";
  button.title = label(at) + (dates && dates[at] ? `\n${dates[at]}` : "");
  button.setAttribute("aria-label", label(at));
  button.append(picture(at));
  if (badge) button.append(make("span", "count", badge));
  button.addEventListener("click", () => open(at));
  return button;
}

function tiles(positions, into, badge = () => "") {
  for (let i = 0; i < positions.length; i += PER_CHUNK) {
    const chunk = make("div", "tiles chunk");
    chunk.append(...positions.slice(i, i + PER_CHUNK).map((at) => tile(at, badge(at))));
    into.append(chunk);
    near.observe(chunk);
  }
}

// The first of them, and a button for the rest.
function unfolding(items, n, into, add, what) {
  add(items.slice(0, n), into);
  if (items.length <= n) return;
  const more = make("button", "more", `Show all ${what}`);
  more.type = "button";
  more.addEventListener("click", () => {
    add(items.slice(n), into);
    more.remove();
  });
  into.after(more);
}

// Clusters. In a group of near-duplicates the first stands for all.
const copies = (at) => (groupOf.has(at) ? `×${groupOf.get(at).length}` : "");
const places = (section) => {
  const usual = [];
  for (let at = section.first; at < section.first + section.size; at += 1) {
    if (!outliers.has(at) && !(groupOf.has(at) && groupOf.get(at)[0] !== at)) usual.push(at);
  }
  return usual;
};

function span(section) {
  if (!dates) return "";
  const days = dates.slice(section.first, section.first + section.size).filter(Boolean).map((date) => date.slice(0, 10)).sort();
  if (!days.length) return "";
  return days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`;
}

sections.forEach((section, index) => {
  const { cluster } = section;
  const cover = make("a", "cover");
  cover.href = `#cluster-${cluster}`;
  const montage = make("div", "montage");
  for (let i = 0; i < 9; i += 1) montage.append(i < album.covers[index] ? picture(9 * index + i, "covers") : make("div", "picture"));
  const title = make("b", "", nameOf(cluster));
  title.dataset.nameOf = cluster;
  const guess = album.words[cluster] ? `perhaps ${album.words[cluster]}` : "";
  cover.append(montage, title, make("span", "faint", count(section.size, "picture")));
  if (guess) cover.append(make("span", "faint", guess));
  get("covers").append(cover);
  near.observe(cover);

  const part = make("section", "cluster");
  part.id = `cluster-${cluster}`;
  const head = make("div", "head");
  const heading = make("h2");
  const input = make("input");
  input.value = nameOf(cluster);
  input.maxLength = 80;
  input.setAttribute("aria-label", `Name of cluster ${cluster}`);
  input.addEventListener("change", () => {
    rename(cluster, input.value);
    input.value = nameOf(cluster);
  });
  heading.append(input);
  const apart = album.outliers.filter((at) => sectionOf(at) === section).length;
  const facts = [guess, count(section.size, "picture"), span(section), apart ? `${count(apart, "outlier")} shown below` : ""];
  head.append(heading, make("span", "faint", facts.filter(Boolean).join(" · ")));
  const body = make("div");
  part.append(head, body);
  get("sections").append(part);
  unfolding(places(section), FIRST, body, (positions, into) => tiles(positions, into, copies), count(section.size, "picture"));
});

if (album.groups.length) {
  const rest = [...album.groups].sort((a, b) => b.length - a.length);
  const add = (groups, into) =>
    groups.forEach((group) => {
      const element = make("div", "group");
      element.append(...group.map((at) => tile(at, "")));
      into.append(element);
      near.observe(element);
    });
  unfolding(rest, GROUPS, get("groups"), add, count(rest.length, "group"));
}
if (album.outliers.length) tiles(album.outliers, get("unusual"), (at) => nameOf(sectionOf(at).cluster));

// One picture, with its like.
let similar = null; // parsed when first asked for
let current = 0;

function fill(part, into, positions) {
  get(part).hidden = positions.length === 0;
  get(into).replaceChildren(...positions.map((at) => tile(at, "")));
  for (const element of get(into).querySelectorAll("[data-at]")) drawAt(element, Number(element.dataset.at));
}

function open(at) {
  current = at;
  similar ||= JSON.parse(get("neighbours").textContent);
  const large = picture(at);
  drawAt(large, at);
  get("large").replaceChildren(large);
  get("name").textContent = label(at);
  const facts = [["Cluster", nameOf(sectionOf(at).cluster)]];
  if (dates && dates[at]) facts.push(["Date", dates[at]]);
  facts.push(["Distance to the mean", album.distances[at]]);
  if (album.errors) facts.push(["Reconstruction error", `${album.errors[at]}${outliers.has(at) ? ", an outlier" : ""}`]);
  if (paths) facts.push(["Row", album.rows[at]]);
  get("facts").replaceChildren(...facts.flatMap(([what, value]) => [make("dt", "", what), make("dd", "", value)]));
  const link = get("original");
  link.hidden = !(paths && album.source !== null);
  if (!link.hidden) {
    link.href = album.source + url(paths[at]);
    const original = make("div", "original"); // over the thumbnail, which stays where it cannot be shown
    original.style.backgroundImage = `url("${link.href}")`;
    large.append(original);
  }
  fill("same-part", "same", (groupOf.get(at) || []).filter((other) => other !== at));
  fill("similar-part", "similar", similar[at]);
  if (!get("viewer").open) get("viewer").showModal();
  get("viewer").scrollTop = 0;
}

function walk(step) {
  const next = current + step;
  if (next >= 0 && next < album.rows.length) open(next);
}
get("viewer").addEventListener("keydown", (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (step) walk(step);
});
[...get("walk").children].forEach((button, i) => button.addEventListener("click", () => walk(i ? 1 : -1)));
get("viewer").addEventListener("click", (event) => {
  if (event.target === get("viewer")) get("viewer").close(); // the backdrop
});

// index.html#picture-17 opens the picture of row 17.
function follow() {
  const match = /^#picture-(\d+)$/.exec(location.hash);
  const at = match ? album.rows.indexOf(Number(match[1])) : -1;
  if (at >= 0) open(at);
}
addEventListener("hashchange", follow);

// What can be taken away.
function save(name, type, text) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
const clusterAt = album.rows.map((_, at) => sectionOf(at).cluster);
const base = `${album.dataset}-${album.clustering}`;

function asCsv() {
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  const lines = [["row", "path", "date", "cluster", "name", "distance", "error", "outlier"]];
  album.rows.forEach((row, at) => {
    const cluster = clusterAt[at];
    lines.push([row, paths ? paths[at] : "", dates ? dates[at] : "", cluster, nameOf(cluster), album.distances[at], album.errors ? album.errors[at] : "", outliers.has(at)]);
  });
  return lines.map((line) => line.map(cell).join(",")).join("\n") + "\n";
}

function asJson() {
  const clusters = sections.map(({ cluster, size: n }) => ({ cluster, name: names[cluster] ?? null, size: n }));
  const pictures = album.rows.map((row, at) => ({ row, path: paths ? paths[at] : null, date: dates ? dates[at] || null : null, cluster: clusterAt[at] }));
  return JSON.stringify({ dataset: album.dataset, clustering: album.clustering, clusters, pictures }, null, 1) + "\n";
}
get("save-csv").addEventListener("click", () => save(`${base}.csv`, "text/csv", asCsv()));
get("save-json").addEventListener("click", () => save(`${base}.json`, "application/json", asJson()));
document.body.classList.toggle("pixelated", sheet.pixelated);
follow();
