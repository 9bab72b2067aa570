"use strict";
// Clusters as the reader of a page names and merges them; this browser remembers it. A group is a
// cluster with those that were merged into it, and has its number.
const groups = JSON.parse(document.getElementById("named").textContent);
const get = (id) => document.getElementById(id);
const count = (n, noun) => `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;

function make(tag, className, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text; // never as HTML
  return element;
}

function button(text, act, className = "") {
  const element = make("button", className, text);
  element.type = "button";
  element.addEventListener("click", act);
  return element;
}

const KNOWN = -2;
const stored = `narrows-groups:${groups.identity}`;
let state = { names: groups.names, into: groups.into };
try {
  state = { ...state, ...JSON.parse(localStorage.getItem(stored)) };
} catch {
  // what cannot be read is as if nothing was changed
}
const byNumber = new Map(groups.clusters.map((own) => [own.cluster, own]));
const standard = (id) => {
  if (typeof id === "string") return `Group ${id}`;
  return id === KNOWN ? "Known pictures" : id < 0 ? "In no cluster" : `Cluster ${id}`;
};
const rootOf = (cluster) => state.into[cluster] ?? cluster;
const nameOf = (id) => state.names[id] || standard(id);
const membersOf = (root) => groups.clusters.map((own) => own.cluster).filter((cluster) => rootOf(cluster) === root);
const roots = () => groups.clusters.map((own) => own.cluster).filter((cluster) => rootOf(cluster) === cluster);
const sizeOf = (root) => membersOf(root).reduce((sum, cluster) => sum + byNumber.get(cluster).size, 0);
// Letters of the coarse groups with their groups; null where there are none, and for noise.
function levels() {
  const letters = [...groups.coarse.map(({ coarse }) => coarse), null];
  return letters.map((letter) => [letter, roots().filter((root) => byNumber.get(root).coarse === letter)]).filter(([, own]) => own.length);
}
const guessOf = (id) => {
  const own = typeof id === "string" ? groups.coarse.find(({ coarse }) => coarse === id) : byNumber.get(id);
  return own.guess ? `perhaps ${own.guess}` : "";
};

let telling = 0;
function tell(text) {
  clearTimeout(telling);
  get("status").textContent = text;
  telling = setTimeout(() => (get("status").textContent = ""), 6000);
}
function remember() {
  try {
    localStorage.setItem(stored, JSON.stringify(state));
  } catch {
    tell("This browser keeps no names: save them before you leave.");
  }
}

function rename(id, name) {
  const changed = name.trim();
  if (changed && changed !== standard(id)) state.names[id] = changed;
  else delete state.names[id];
  remember();
  afterwards();
  for (const element of document.querySelectorAll(`[data-name-of="${id}"]`)) {
    if (element.tagName === "INPUT") element.value = nameOf(id);
    else element.textContent = nameOf(id);
  }
}

let arrange = () => {}; // the page's own: shows the groups as they are now
let afterwards = () => {}; // and what else shows their names
function changed(root, text) {
  remember();
  arrange();
  afterwards();
  tell(text);
  document.querySelector(`input[data-name-of="${root}"]`)?.focus({ preventScroll: true });
}

function merge(others, target) {
  const merged = others.map(nameOf).join(", ");
  const name = [target, ...others].map((root) => state.names[root]).find(Boolean);
  if (name) state.names[target] = name;
  for (const cluster of others.flatMap(membersOf)) state.into[cluster] = target;
  changed(target, `${merged} ${others.length > 1 ? "are" : "is"} a part of ${nameOf(target)} now.`);
}

function split(root) {
  for (const cluster of membersOf(root)) delete state.into[cluster];
  changed(root, `${nameOf(root)} is split again.`);
}

function input(id) {
  const element = make("input");
  element.value = nameOf(id);
  element.maxLength = 80;
  element.dataset.nameOf = id;
  element.setAttribute("aria-label", `Name of ${standard(id)}`);
  element.addEventListener("change", () => rename(id, element.value));
  element.addEventListener("keydown", (event) => {
    if (event.key === "Enter") element.blur();
  });
  return element;
}

// What can be done with a group, as buttons.
function tools(root) {
  const element = make("span", "tools");
  if (root < 0) return element;
  const members = membersOf(root);
  if (roots().filter((other) => other >= 0).length > 1) element.append(button("Merge with …", () => pick(root)));
  if (members.length > 1) element.append(button(`Split into ${members.length}`, () => split(root)));
  return element;
}

let icon = () => null; // the page's own picture of a group
function pick(root) {
  const dialog = get("picker");
  const others = roots().filter((other) => other >= 0 && other !== root);
  const choices = others.map((other) => {
    const choice = button("", () => {
      dialog.close();
      merge([root], other);
    }, "choice");
    const words = make("span");
    words.append(make("b", "", nameOf(other)), make("span", "faint", guessOf(other)));
    choice.append(...[icon(other), words].filter(Boolean));
    return choice;
  });
  get("picker-title").textContent = `Merge ${nameOf(root)} with`;
  get("choices").replaceChildren(...choices);
  dialog.showModal();
}

function save(name, type, text) {
  const link = make("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

function namesAsJson(more = {}) {
  const clusters = groups.clusters.filter(({ cluster }) => cluster !== KNOWN).map(({ cluster, size }) => ({
    cluster,
    name: state.names[cluster] ?? null,
    size,
    into: rootOf(cluster),
  }));
  const coarse = groups.coarse.map(({ coarse: letter }) => ({ coarse: letter, name: state.names[letter] ?? null }));
  const { dataset, clustering, identity } = groups;
  return JSON.stringify({ dataset, clustering, identity, clusters, coarse, ...more }, null, 1) + "\n";
}
