const titles = { go: "Go", typescript: "TypeScript", javascript: "JavaScript", python: "Python" };
const data = readData();
const present = data.languages.map((_, index) => index).filter(hasLanguage);
const state = { folder: null, shown: new Set(present), sort: "score", ascending: false, rows: 25 };

function readData() {
  const raw = JSON.parse(document.getElementById("data").textContent);
  const files = raw.files.map((row) => {
    const [path, language, lines, functions, complexity, nesting, exported, documented, refused] =
      row;
    return { path, language, lines, functions, complexity, nesting, exported, documented, refused };
  });
  const functions = raw.functions.map(
    ([file, name, line, length, complexity, nesting, documented]) => {
      const { path, language } = files[file];
      const score = complexity * length;
      return { path, language, name, line, length, complexity, nesting, documented, score };
    },
  );
  return { ...raw, files, functions };
}

function hasLanguage(index) {
  return data.byLanguage[data.languages[index]] !== undefined;
}

function titleOf(language) {
  return titles[language] ?? language;
}

function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function percent(part, whole) {
  return whole === 0 ? "–" : `${Math.round((100 * part) / whole)} %`;
}

function element(parent, name, attributes = {}, text = null) {
  const isDrawing = parent instanceof SVGElement || name === "svg";
  const made = isDrawing
    ? document.createElementNS("http://www.w3.org/2000/svg", name)
    : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== null) made.textContent = text;
  parent.append(made);
  return made;
}

// One box for the page, filled by whatever the pointer is on.
const hoverBox = document.getElementById("hover");

function hover(target, lines) {
  target.onpointermove = (event) => {
    const [title, ...rest] = lines();
    hoverBox.replaceChildren();
    element(hoverBox, "b", {}, title);
    for (const line of rest) element(hoverBox, "div", {}, line);
    hoverBox.hidden = false;
    const { width, height } = hoverBox.getBoundingClientRect();
    const left =
      event.clientX + 16 + width < innerWidth ? event.clientX + 16 : event.clientX - 16 - width;
    const top = Math.min(event.clientY + 14, innerHeight - height - 8);
    hoverBox.style.left = `${Math.max(left, 8)}px`;
    hoverBox.style.top = `${top}px`;
  };
  target.onpointerleave = () => {
    hoverBox.hidden = true;
  };
}

function drawHead() {
  const { totals } = data;
  document.getElementById("root").textContent = data.root;
  const names = present.map((index) => titleOf(data.languages[index])).join(", ");
  const sentence = `${count(totals.lines, "line")} in ${count(totals.files, "file")}: ${names}.`;
  document.getElementById("sentence").textContent = sentence;
  const tiles = [
    [totals.functions.toLocaleString("en"), "functions"],
    [
      `${totals.length_median} / ${totals.length_p90}`,
      "lines a function, median / 90th percentile",
    ],
    [
      percent(totals.complex_functions, totals.functions),
      "of the functions have a complexity above 10",
    ],
    [percent(totals.documented, totals.exported), "of the exported functions are documented"],
    [totals.nesting_max, "levels at the deepest nesting"],
    [totals.errors.toLocaleString("en"), "files could not be measured"],
  ];
  const parent = document.getElementById("tiles");
  for (const [value, label] of tiles) {
    const tile = element(parent, "div", { class: "tile" });
    element(tile, "b", {}, value);
    element(tile, "span", {}, label);
  }
}

function drawFolders() {
  const enter = (node) => {
    state.folder = node;
    hoverBox.hidden = true;
    drawFolders();
  };
  const crumbs = document.getElementById("crumbs");
  crumbs.replaceChildren();
  for (let node = state.folder; node; node = node.parent) {
    const crumb = element(crumbs, "button", { type: "button" }, `${node.name} /`);
    crumb.onclick = () => enter(node);
    crumbs.prepend(crumb);
  }
  drawTreemap(document.getElementById("treemap"), state.folder, enter, hover);
}

function drawSteps() {
  const parent = document.getElementById("steps");
  element(parent, "span", {}, "complexity");
  for (const [index, step] of steps.entries()) {
    const item = element(parent, "span");
    element(item, "i", { style: `background: var(--step${index})` });
    item.append(step.name);
  }
}

/** Buttons that switch languages on and off, in the plot and in the table alike. */
function drawToggles(id) {
  const parent = document.getElementById(id);
  parent.replaceChildren();
  for (const index of present) {
    const language = data.languages[index];
    const pressed = state.shown.has(index);
    const button = element(parent, "button", { type: "button", "aria-pressed": pressed });
    element(button, "i", { style: `background: var(--${language})` });
    button.append(titleOf(language));
    button.onclick = () => {
      if (pressed) state.shown.delete(index);
      else state.shown.add(index);
      drawLanguages();
    };
  }
}

function drawLanguages() {
  drawToggles("languages");
  drawToggles("filter");
  drawScatter(document.getElementById("scatter"), data, state.shown, hover);
  drawTable();
}

const buckets = [1, 2, 3, 5, 8, 13, 21, 34, 55, Infinity];

function drawCard(parent, index) {
  const language = data.languages[index];
  const of = data.byLanguage[language];
  const card = element(parent, "div", { class: "card" });
  const title = element(card, "h3");
  element(title, "span", { class: "dot", style: `background: var(--${language})` });
  title.append(titleOf(language));
  drawHistogram(card, index);
  const rows = [
    ["files", of.files.toLocaleString("en")],
    ["lines", of.lines.toLocaleString("en")],
    ["functions", of.functions.toLocaleString("en")],
    ["length, median / 90th percentile", `${of.length_median} / ${of.length_p90}`],
    [
      "complexity, median / 90th / most",
      `${of.complexity_median} / ${of.complexity_p90} / ${of.complexity_max}`,
    ],
    ["deepest nesting", of.nesting_max],
    ["exported functions documented", percent(of.documented, of.exported)],
  ];
  const list = element(card, "dl");
  for (const [name, value] of rows) {
    element(list, "dt", {}, name);
    element(list, "dd", {}, value);
  }
  const share = of.exported ? (100 * of.documented) / of.exported : 0;
  const meter = element(card, "div", { class: "meter" });
  element(meter, "i", { style: `width: ${share}%; background: var(--${language})` });
}

/** How many functions have which complexity, on a square-root scale so that the tail shows. */
function drawHistogram(card, index) {
  const counts = buckets.map(() => 0);
  for (const [language, , complexity, times] of data.points) {
    if (language === index) counts[buckets.findIndex((limit) => complexity <= limit)] += times;
  }
  const svg = element(card, "svg", { viewBox: "0 0 260 74" });
  const most = Math.sqrt(Math.max(...counts, 1));
  for (const [at, value] of counts.entries()) {
    const height = value === 0 ? 0 : Math.max(1.5, (56 * Math.sqrt(value)) / most);
    const low = at === 0 ? 1 : buckets[at - 1] + 1;
    const high = buckets[at];
    const name = high === Infinity ? `${low}+` : low === high ? `${low}` : `${low}–${high}`;
    const box = { x: at * 26 + 1, y: 58 - height, width: 24, height, rx: 2 };
    const bar = element(svg, "rect", { ...box, fill: `var(--${data.languages[index]})` });
    hover(bar, () => [count(value, "function"), `complexity ${name}`]);
    element(svg, "text", { x: at * 26 + 13, y: 70, "text-anchor": "middle" }, low);
  }
}

const columns = [
  ["name", "Function", "text"],
  ["complexity", "Complexity"],
  ["length", "Length"],
  ["nesting", "Nesting"],
  ["documented", "Documented"],
  ["score", "Score"],
];

function drawTable() {
  const table = document.getElementById("spots");
  const wanted = document.getElementById("search").value.toLowerCase();
  const matches = (spot) => `${spot.path}:${spot.line} ${spot.name}`.toLowerCase().includes(wanted);
  const spots = data.functions.filter((spot) => state.shown.has(spot.language) && matches(spot));
  const sign = state.ascending ? 1 : -1;
  const { sort } = state;
  spots.sort((left, right) => {
    const order = left[sort] < right[sort] ? -1 : left[sort] > right[sort] ? 1 : 0;
    return sign * order || right.score - left.score;
  });
  table.replaceChildren();
  drawTableHead(table);
  const body = element(table, "tbody");
  const most = data.functions[0]?.score ?? 1;
  for (const spot of spots.slice(0, state.rows)) drawRow(body, spot, most);
  document.getElementById("more").hidden = spots.length <= state.rows;
}

function drawTableHead(table) {
  const row = element(element(table, "thead"), "tr");
  for (const [key, name, kind] of columns) {
    const head = element(row, "th", { class: kind ?? "", scope: "col" }, name);
    if (state.sort === key) {
      head.setAttribute("aria-sort", state.ascending ? "ascending" : "descending");
      head.append(state.ascending ? " ↑" : " ↓");
    }
    head.onclick = () => {
      state.ascending = state.sort === key ? !state.ascending : key === "name";
      state.sort = key;
      drawTable();
    };
  }
}

function drawRow(body, spot, most) {
  const row = element(body, "tr");
  const name = element(row, "td", { class: "text" });
  const color = `background: var(--${data.languages[spot.language]})`;
  element(name, "span", { class: "dot", style: color });
  element(name, "code", {}, spot.name);
  element(name, "span", { class: "path" }, `${spot.path}:${spot.line}`);
  for (const key of ["complexity", "length", "nesting"]) {
    element(row, "td", {}, spot[key].toLocaleString("en"));
  }
  element(row, "td", {}, spot.documented ? "yes" : "no");
  const score = element(row, "td");
  const width = Math.max(2, (90 * Math.sqrt(spot.score)) / Math.sqrt(most));
  element(score, "span", { class: "score", style: `width: ${width}px` });
  score.append(spot.score.toLocaleString("en"));
}

function drawErrors() {
  if (data.errors.length === 0) return;
  document.getElementById("errors").hidden = false;
  const table = document.getElementById("refused");
  const head = element(element(table, "thead"), "tr");
  for (const name of ["File", "Line", "Why"]) element(head, "th", { class: "text" }, name);
  const body = element(table, "tbody");
  for (const [path, , line, message] of data.errors) {
    const row = element(body, "tr");
    element(element(row, "td", { class: "text" }), "code", {}, path);
    element(row, "td", { class: "text" }, line || "–");
    element(row, "td", { class: "text wrap" }, message);
  }
}

function chooseTheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  document.getElementById("theme").onclick = () => {
    const { dataset } = document.documentElement;
    dataset.theme = dataset.theme === "dark" ? "light" : "dark";
  };
}

function draw() {
  drawFolders();
  drawLanguages();
}

chooseTheme();
state.folder = treeOf(data.files, data.root);
drawHead();
drawSteps();
for (const index of present) drawCard(document.getElementById("cards"), index);
drawErrors();
draw();
document.getElementById("search").oninput = drawTable;
document.getElementById("more").onclick = () => {
  state.rows += 100;
  drawTable();
};
let resizing = 0;
addEventListener("resize", () => {
  cancelAnimationFrame(resizing);
  resizing = requestAnimationFrame(draw);
});
