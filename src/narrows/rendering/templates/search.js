// Search: pictures by the words that a classifier guesses for them, and by names of files.
const IN_NAME = 1000; // above all percentages
const plain = (text) => text.normalize("NFKD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
const singular = (word) => word.replace(/(?<=ss|x|z|ch|sh)es$|(?<!s)s$/, "");
const termsOf = (text) => plain(text).match(/[\p{L}\p{M}\p{N}]+/gu) ?? [];
const vocabulary = album.words ? album.words.vocabulary.map(termsOf) : [];
let names = null; // of files, in plain letters; when first searched

// Numbers of the words that have the term: as a whole; where none has, at a beginning, or anywhere.
function wordsWith(term) {
  const tests = [(own) => singular(own) === singular(term), (own) => own.startsWith(term), (own) => own.includes(term)];
  const having = (test) => vocabulary.flatMap((own, number) => (own.some(test) ? [number] : []));
  return new Set(tests.map(having).find((numbers) => numbers.length));
}

// How likely a picture is what a term says, in percent. In a name a term begins a word: the letters
// of a hexadecimal number are none. Digits may stand anywhere.
function scorer(term) {
  const [words, inName] = [wordsWith(term), new RegExp(/^\d/.test(term) ? term : `(?<![a-z0-9])${term}`)];
  return (at) => {
    if (names.length && inName.test(names[at])) return IN_NAME;
    if (!words.size) return 0;
    return guessesOf(at).reduce((sum, [word, percent]) => (words.has(word) ? sum + percent : sum), 0);
  };
}

// Pictures that all terms fit, by the one that fits least.
function matching(terms) {
  names ??= paths ? paths.map((_, at) => plain(label(at))) : [];
  const scorers = terms.map(scorer);
  const every = album.rows.map((_, at) => [at, Math.min(...scorers.map((score) => score(at)))]);
  return new Map(every.filter(([, score]) => score > 0).sort((a, b) => b[1] - a[1]));
}

function numberOf(scores) {
  if (!scores.length) return "No picture";
  return count(scores.length, "picture") + (scores.length > 1 && scores.at(-1) < IN_NAME ? ", the likeliest first" : "");
}

let highlight = () => {}; // the map's own
function search() {
  const terms = termsOf(get("query").value);
  matches = terms.length ? matching(terms) : null;
  document.body.classList.toggle("searching", matches !== null);
  get("matches").hidden = !matches?.size;
  get("matches").replaceChildren();
  get("matched").textContent = matches ? numberOf([...matches.values()]) : "";
  if (matches?.size) {
    const body = make("div");
    get("matches").append(body);
    const percent = (at) => (matches.get(at) < IN_NAME ? `${matches.get(at)} %` : "");
    unfolding([...matches.keys()], FIRST, body, (some, into) => tiles(some, into, percent), count(matches.size, "picture"));
  }
  highlight();
}

if (get("query")) {
  get("vocabulary").append(...[...new Set(album.words?.vocabulary)].map((word) => new Option(word, word)));
  get("query").addEventListener("input", search);
  addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !matches || document.querySelector("dialog[open]")) return;
    get("query").value = "";
    get("query").focus();
    search();
  });
}
