"use strict";
const doc = JSON.parse(document.getElementById("document").textContent);
const words = doc.words;
const cards = new Map([...doc.forward, ...doc.gradients].map((card) => [card.key, card]));
const told = document.getElementById("told");
const root = document.documentElement;

function tell(line) {
  told.textContent = line;
  clearTimeout(tell.timer);
  tell.timer = setTimeout(() => { told.textContent = ""; }, 1800);
}

// A page that was opened from a file may not have the clipboard's interface.
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.style.position = "fixed";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  const { card, form } = button.dataset;
  const here = card && (form === "numpy" ? cards.get(card) : cards.get(card).formulas.at(-1));
  const done = await copy(here ? here[form] : button.dataset.copy);
  button.focus();
  tell(done ? words.copied : words.not_copied);
});

// A link to a line or a card goes there, and is copied on the way.
document.addEventListener("click", async (event) => {
  const link = event.target.closest(".copies a");
  if (!link) return;
  tell((await copy(link.href)) ? words.linked : words.not_copied);
});

document.getElementById("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  drawAll();
});

const unfold = document.getElementById("unfold");
unfold.addEventListener("click", () => {
  const open = unfold.getAttribute("aria-pressed") !== "true";
  unfold.setAttribute("aria-pressed", String(open));
  const large = open && document.getElementById("packed");
  const all = document.querySelectorAll(large ? "details:not(.steps)" : "details");
  for (const one of all) one.open = open;
});

// Pictures of shares: pale where a number is exact, dark at its bound, red beyond.
const SQUARE = 14;

function colour(share) {
  const dark = root.dataset.theme ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  if (typeof share !== "number" || !(share <= 1)) return dark ? "#ff6b6b" : "#c5161d";
  const light = dark ? 18 + 42 * share : 93 - 48 * share;
  return `hsl(${140 - 70 * share} ${30 + 15 * share}% ${light}%)`;
}

function draw(canvas, { shares }) {
  const scale = Math.max(1, Math.round(devicePixelRatio || 1));
  canvas.width = shares[0].length * SQUARE * scale;
  canvas.height = shares.length * SQUARE * scale;
  canvas.style.width = `${shares[0].length * SQUARE}px`;
  canvas.style.height = `${shares.length * SQUARE}px`;
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  shares.forEach((row, i) => row.forEach((share, j) => {
    pen.fillStyle = colour(share);
    pen.fillRect(j * SQUARE, i * SQUARE, SQUARE - 1, SQUARE - 1);
  }));
}

const pictures = new Map();

function drawAll() {
  for (const [canvas, heat] of pictures) draw(canvas, heat);
}

function picture(heat, label) {
  const canvas = make("canvas", "heat");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${words.picture}: ${label}`);
  const range = (k, n) => (n === 1 ? `${k}` : `${k * n}…${k * n + n - 1}`);
  canvas.addEventListener("mousemove", (event) => {
    const { shares, cells } = heat;
    const i = Math.min(shares.length - 1, Math.floor(event.offsetY / SQUARE));
    const j = Math.min(shares[0].length - 1, Math.floor(event.offsetX / SQUARE));
    canvas.title = `[${range(i, cells[0])}, ${range(j, cells[1])}]  ${shares[i][j]}`;
  });
  pictures.set(canvas, heat);
  draw(canvas, heat);
  return canvas;
}

// The numbers and the steps of a card, made when it is unfolded: a large page opens at once.
function make(tag, kind = "", text = "") {
  const element = document.createElement(tag);
  element.className = kind;
  element.textContent = text;
  return element;
}

function chip({ kind, inherited }) {
  return make("span", `chip ${kind}`, `${words.marks[kind]} ${words.kinds[inherited ? "inherited" : kind]}`);
}

function corner({ rows, more }) {
  const table = make("table", "numbers");
  const body = table.createTBody();
  rows.forEach((row, i) => {
    const line = body.insertRow();
    for (const number of row) line.insertCell().textContent = number;
    if (more && i === 0) {
      const rest = line.insertCell();
      rest.className = "more";
      rest.rowSpan = rows.length;
      rest.textContent = "…";
    }
  });
  return table;
}

function figures(verdict) {
  const { share, digits, worst } = verdict;
  const said = [typeof share === "number"
    ? words.of_bound.replace("{}", share < 1e4 ? Number(share.toPrecision(2)) : share.toExponential(1))
    : words.no_bound];
  if (typeof digits === "number" && digits > 0) said.push(words.digits.replace("{}", digits.toFixed(1)));
  if (worst.length) said.push(words.most_at.replace("{}", `[${worst.join(", ")}]`));
  return said.join(" · ");
}

function party(title, numbers, verdict) {
  const box = make("div", "party");
  const head = make("h4", "", `${title} `);
  if (verdict) head.append(chip(verdict));
  box.append(head, corner(numbers));
  return box;
}

function evidence(one) {
  const box = party(one.engine, one.numbers, one.verdict);
  const said = figures(one.verdict);
  const line = make("p", "small", said);
  if (one.native) line.append(make("br"), `${words.layer} `, chip(one.native));
  box.append(line);
  if (one.heat) box.append(picture(one.heat, said));
  return box;
}

function trial(card, one) {
  const box = make("div", "trial");
  const turn = card.members.length ? ` · ${one.tensor}` : "";
  const head = make("h3", "", `${one.data}${turn} `);
  if (one.formula) head.append(chip(one.formula));
  const parties = make("div", "parties scroll");
  parties.tabIndex = 0;
  if (one.hand) parties.append(party(one.formula ? words.hand : words.plain, one.hand));
  if (one.true) parties.append(party(words.true_value, one.true));
  parties.append(...one.engines.map(evidence));
  box.append(head, parties);
  return box;
}

// The steps of a large page are packed, and unpacked when the first of them is unfolded.
let unpacked = null;
async function inflate() {
  const letters = atob(document.getElementById("packed").textContent.trim());
  const bytes = Uint8Array.from(letters, (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  return JSON.parse(await new Response(stream).text());
}
function unpack() {
  unpacked ??= inflate();
  return unpacked;
}
async function fillPacked(box) {
  box.dataset.asked = "yes";
  try {
    box.innerHTML = (await unpack()).looks[box.dataset.card];
  } catch {
    box.textContent = words.not_unpacked;
  }
}

function fill(details) {
  const packed = details.querySelector(".packed");
  if (details.open && packed && !packed.dataset.asked && packed.parentElement === details) {
    fillPacked(packed);
  }
  const waiting = details.querySelector("template");
  if (details.open && waiting) waiting.replaceWith(waiting.content);
  const box = details.querySelector(".trials");
  if (!details.open || !box || box.childElementCount) return;
  const card = cards.get(box.dataset.card);
  box.append(...card.trials.map((one) => trial(card, one)));
}
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => fill(details));
  fill(details);
}

// A look at an equation and its verdict from the graph.
const peek = document.getElementById("peek");
function show(link) {
  const card = document.getElementById(link.dataset.key);
  if (!card || !card.classList.contains("card")) return;
  peek.replaceChildren(card.querySelector(".head").cloneNode(true));
  peek.hidden = false;
  const box = link.getBoundingClientRect();
  peek.style.top = `${box.bottom + scrollY + 8}px`;
  const left = Math.min(box.left + scrollX, scrollX + innerWidth - peek.offsetWidth - 12);
  peek.style.left = `${Math.max(8, left)}px`;
}
for (const link of document.querySelectorAll("svg a")) {
  link.addEventListener("mouseenter", () => show(link));
  link.addEventListener("focus", () => show(link));
  link.addEventListener("mouseleave", () => { peek.hidden = true; });
  link.addEventListener("blur", () => { peek.hidden = true; });
}

function saved(text) {
  return URL.createObjectURL(new Blob([text], { type: "application/json" }));
}
document.getElementById("json").addEventListener("click", async (event) => {
  const link = event.currentTarget;
  const text = document.getElementById("document").textContent;
  if (!document.getElementById("packed")) {
    link.href = saved(text);
    return;
  }
  if (link.dataset.ready) return;
  event.preventDefault();
  try {
    const { steps } = await unpack();
    const whole = JSON.parse(text);
    for (const card of whole.gradients) card.steps = steps[card.key] ?? null;
    link.href = saved(JSON.stringify(whole));
    link.dataset.ready = "yes";
    link.click();
  } catch {
    tell(words.not_unpacked);
  }
});
