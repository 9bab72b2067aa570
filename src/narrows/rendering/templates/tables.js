"use strict";
// Tables of a page: a click on a heading sorts the rows by that column, and a box above a long table
// leaves the rows that have some words. Without a script they are as the page has them.
const LONG = 8; // rows from which on a table gets the box
const DIRECTIONS = ["descending", "ascending"]; // of numbers, click by click; words begin with A

const numberOf = (text) => Number.parseFloat(text.replaceAll(",", ""));
const isMissing = (text) => ["", "–"].includes(text);
const isNumeric = (texts) => texts.every((text) => isMissing(text) || !Number.isNaN(numberOf(text)));
const { compare } = new Intl.Collator("en", { numeric: true });

// The rows in the order of their texts; what is missing comes last in either direction.
function sorted(rows, texts, direction) {
  const sign = direction === "descending" ? -1 : 1;
  const difference = isNumeric(texts) ? (a, b) => numberOf(a) - numberOf(b) : compare;
  const ordered = rows.map((row, at) => [row, texts[at]]).sort(([, a], [, b]) => {
    if (isMissing(a) || isMissing(b)) return isMissing(a) - isMissing(b);
    return sign * difference(a, b);
  });
  return ordered.map(([row]) => row);
}

// The third click brings back the order of the page.
function makeSortable(table) {
  const rows = [...table.tBodies[0].rows];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const texts = rows.map((row) => row.cells[column].textContent.trim());
    const directions = isNumeric(texts) ? DIRECTIONS : [...DIRECTIONS].reverse();
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => {
      const direction = directions[directions.indexOf(heading.getAttribute("aria-sort")) + 1];
      for (const other of headings) other.removeAttribute("aria-sort");
      if (direction) heading.setAttribute("aria-sort", direction);
      table.tBodies[0].append(...(direction ? sorted(rows, texts, direction) : rows));
    });
    heading.append(button);
  });
}

function makeFilterable(table) {
  const rows = [...table.tBodies[0].rows];
  const label = document.createElement("label");
  const box = document.createElement("input");
  const status = document.createElement("output");
  label.className = "filter";
  box.type = "search";
  box.placeholder = "Rows with these words";
  box.setAttribute("aria-label", `${table.closest("section").querySelector("h2").textContent}: rows with these words`);
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) row.hidden = !words.every((word) => row.textContent.toLowerCase().includes(word));
    status.textContent = words.length ? `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows` : "";
  });
  label.append(box, status);
  table.parentElement.before(label);
}

for (const table of document.querySelectorAll(".scroll > table")) {
  const n = table.tBodies[0].rows.length;
  if (n > 1) makeSortable(table);
  if (n >= LONG) makeFilterable(table);
}
