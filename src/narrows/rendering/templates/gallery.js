// The gallery: groups of pictures, near-duplicates, oddities, one picture with its like.
const album = JSON.parse(get("album").textContent);
const { sheet, sections, paths, dates, places } = album;
const PER_SHEET = sheet.columns * sheet.columns;
const PER_CHUNK = 240;
const FIRST = 48; // pictures of a group before "Show all"
const GROUPS = 60; // groups of near-duplicates before it

// Names. Of what a file is called, control characters are made visible, and bytes that are no UTF-8
// (they arrive as lone surrogates, one each) become replacement characters.
const visible = (text) =>
  text
    .replace(/[\u0000-\u001f]/g, (c) => String.fromCharCode(0x2400 + c.charCodeAt(0)))
    .replace(/\u007f/g, "\u2421")
    .replace(/[\ud800-\udfff]/gu, "\ufffd");
const label = (at) => (paths ? visible(paths[at]) : `row ${album.rows[at]}`);

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
  const element = button("", () => open(at), "tile");
  element.title = label(at) + (dates && dates[at] ? `\n${dates[at]}` : "");
  element.setAttribute("aria-label", label(at));
  element.append(picture(at));
  if (badge) element.append(make("span", "count", badge));
  return element;
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
  const more = button(`Show all ${what}`, () => {
    add(items.slice(n), into);
    more.remove();
  }, "more");
  into.after(more);
}

// Groups of clusters. Of near-duplicates the first stands for all.
const sectionOfCluster = new Map(sections.map((section, index) => [section.cluster, { ...section, index }]));
const copies = (at) => (groupOf.has(at) ? `×${groupOf.get(at).length}` : "");
const partsOf = (root) => membersOf(root).map((cluster) => sectionOfCluster.get(cluster));
const positionsOf = (root) => partsOf(root).flatMap(({ first, size }) => Array.from({ length: size }, (_, i) => first + i));
const isUsual = (at) => !outliers.has(at) && !(groupOf.has(at) && groupOf.get(at)[0] !== at);

function span(positions) {
  if (!dates) return "";
  const days = positions.map((at) => dates[at]).filter(Boolean).map((date) => date.slice(0, 10)).sort();
  if (!days.length) return "";
  return days[0] === days.at(-1) ? days[0] : `${days[0]} to ${days.at(-1)}`;
}

// The commonest place, where a third of the pictures with a place have it.
function whereabouts(positions) {
  if (!places) return "";
  const own = positions.map((at) => places[at]).filter(Boolean);
  const counts = new Map();
  for (const place of own) counts.set(place, (counts.get(place) || 0) + 1);
  const [place, n] = [...counts].reduce((most, other) => (other[1] > most[1] ? other : most), ["", 0]);
  if (!n || 3 * n < own.length) return "";
  return `${n.toLocaleString("en")} of ${positions.length.toLocaleString("en")} near ${place}`;
}

// Nine pictures of a cluster, or of those of a group in turn.
function montage(clusters) {
  const element = make("div", "montage");
  const parts = clusters.map((cluster) => sectionOfCluster.get(cluster).index);
  const turns = Array.from({ length: 9 }, (_, i) => parts.map((index) => [index, i])).flat();
  const places = turns.filter(([index, i]) => i < album.covers[index]).slice(0, 9);
  for (let i = 0; i < 9; i += 1) element.append(i < places.length ? picture(9 * places[i][0] + places[i][1], "covers") : make("div", "picture"));
  return element;
}
icon = (root) => {
  const element = montage(membersOf(root));
  near.observe(element);
  return element;
};

// Patches of the colours that many pixels of a group have: after a merge, those of all its clusters.
function patches(root) {
  const colours = new Map(membersOf(root).flatMap((cluster) => album.colours[cluster] || []));
  if (!colours.size) return "";
  const element = make("span", "patches");
  element.title = `Colours: ${[...colours.keys()].join(", ")}`;
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", element.title);
  for (const colour of colours.values()) {
    const patch = make("i");
    patch.style.backgroundColor = colour;
    element.append(patch);
  }
  return element;
}

function cover(root) {
  const link = make("a", "cover");
  link.href = `#cluster-${root}`;
  const title = make("b", "", nameOf(root));
  title.dataset.nameOf = root;
  link.append(montage(membersOf(root)), title, make("span", "faint", count(sizeOf(root), "picture")), patches(root));
  if (guessOf(root)) link.append(make("span", "faint", guessOf(root)));
  near.observe(link);
  return link;
}

// A coarse group, which opens into its clusters.
const opened = new Set();
function level(letter, own) {
  const element = make("details", "level");
  element.open = opened.has(letter);
  element.addEventListener("toggle", () => opened[element.open ? "add" : "delete"](letter));
  const summary = make("summary");
  const title = make("b", "", nameOf(letter));
  title.dataset.nameOf = letter;
  const words = make("span");
  const size = own.reduce((sum, root) => sum + sizeOf(root), 0);
  words.append(title, make("span", "faint", `${count(size, "picture")} in ${count(own.length, "cluster")}`), make("span", "faint", guessOf(letter)));
  summary.append(montage(own.flatMap(membersOf)), words);
  near.observe(summary);
  const head = make("div", "head");
  head.append(input(letter));
  if (own.length > 1) head.append(button("Merge into one", () => merge(own.slice(1), own[0]), "more"));
  const covers = make("div", "covers");
  covers.append(...own.map(cover));
  element.append(summary, head, covers);
  return element;
}

function groupSection(root) {
  const positions = positionsOf(root);
  const part = make("section", "cluster");
  part.id = `cluster-${root}`;
  const head = make("div", "head");
  const heading = make("h2");
  heading.append(input(root));
  const apart = positions.filter((at) => outliers.has(at)).length;
  const facts = [guessOf(root), count(positions.length, "picture"), span(positions), whereabouts(positions), apart ? `${count(apart, "outlier")} shown below` : ""];
  const words = make("span", "faint");
  words.append(patches(root), facts.filter(Boolean).join(" · "));
  head.append(heading, words, tools(root));
  const body = make("div");
  part.append(head, body);
  unfolding(positions.filter(isUsual), FIRST, body, (some, into) => tiles(some, into, copies), count(positions.length, "picture"));
  return part;
}

arrange = () => {
  const every = levels();
  const isCoarse = groups.coarse.length > 0;
  get("covers").replaceChildren();
  for (const [letter, own] of every) {
    if (isCoarse && letter) get("covers").append(level(letter, own));
    else {
      const covers = make("div", "covers");
      covers.append(...own.map(cover));
      get("covers").append(covers);
    }
  }
  get("sections").replaceChildren(...every.flatMap(([, own]) => own.map(groupSection)));
  if (!album.outliers.length) return;
  get("unusual").replaceChildren();
  tiles(album.outliers, get("unusual"), (at) => nameOf(rootOf(sectionOf(at).cluster)));
  for (const [i, badge] of [...get("unusual").querySelectorAll(".count")].entries()) {
    badge.dataset.nameOf = rootOf(sectionOf(album.outliers[i]).cluster);
  }
};
arrange();

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

// Numbers of the words that a classifier guesses for a picture, with their percentages.
function guessesOf(at) {
  const flat = album.words.guesses[at];
  return Array.from({ length: flat.length / 2 }, (_, i) => flat.slice(2 * i, 2 * i + 2));
}

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
  const facts = [["Cluster", nameOf(rootOf(sectionOf(at).cluster))]];
  if (dates && dates[at]) facts.push(["Date", dates[at]]);
  if (places && places[at]) facts.push(["Near", places[at]]);
  if (album.words && guessesOf(at).length) facts.push(["Perhaps", guessesOf(at).map(([word, percent]) => `${album.words.vocabulary[word]} ${percent} %`).join(", ")]);
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

let matches = null; // positions of the pictures that a search has left, best first, with percentages
function walk(step) {
  const order = matches ? [...matches.keys()] : null;
  const next = order ? order[order.indexOf(current) + step] : current + step;
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
  const group = /^#cluster-(\d+)$/.exec(location.hash); // one that was merged is a part of another
  if (group) get(`cluster-${rootOf(Number(group[1]))}`)?.scrollIntoView();
  const match = /^#picture-(\d+)$/.exec(location.hash);
  const at = match ? album.rows.indexOf(Number(match[1])) : -1;
  if (at >= 0) open(at);
}
addEventListener("hashchange", follow);

// What can be taken away.
const clusterAt = album.rows.map((_, at) => sectionOf(at).cluster);
const base = `${groups.dataset}-${groups.clustering}`;

// With the columns of a CSV that `labels:` takes.
function asCsv() {
  const cell = (value) => (/[",\r\n]/.test(value) ? `"${String(value).replaceAll('"', '""')}"` : value);
  const lines = [["row", "filename", "date", "cluster", "coarse", "label", "distance", "error", "outlier"]];
  album.rows.forEach((row, at) => {
    const cluster = clusterAt[at];
    const coarse = byNumber.get(cluster).coarse ?? "";
    const label = nameOf(rootOf(cluster));
    lines.push([row, paths ? paths[at] : "", dates ? dates[at] : "", cluster, coarse, label, album.distances[at], album.errors ? album.errors[at] : "", outliers.has(at)]);
  });
  return lines.map((line) => line.map(cell).join(",")).join("\n") + "\n";
}

function asJson() {
  const pictures = album.rows.map((row, at) => ({ row, path: paths ? paths[at] : null, date: dates ? dates[at] || null : null, cluster: clusterAt[at] }));
  return namesAsJson({ pictures });
}
get("save-csv").addEventListener("click", () => save(`${base}.csv`, "text/csv", asCsv()));
get("save-json").addEventListener("click", () => save(`${base}.json`, "application/json", asJson()));
document.body.classList.toggle("pixelated", sheet.pixelated);
follow();
