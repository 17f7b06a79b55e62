// Draws the charts, keeps details open, and shows the sliders' values; everything else is HTML.
"use strict";

const SECONDS = [1, "s"], SHARE = [100, "%"], COUNT = [1, ""];
// A chart: its title, its unit (factor and sign), the threshold whose limit is drawn, and its lines.
// A line: its column, its series, its label, its colour and its dashes.
const CHARTS = [
  ["Time to answer a request", SECONDS, "p95_response_time", [
    ["values", "request_p50_seconds", "p50", "--soft"], ["values", "request_p95_seconds", "p95", "--brand"],
    ["values", "request_p99_seconds", "p99", "--queue"],
    ["shadows", "p95_response_time", "p95 if inline", "--near", [4, 3]]]],
  ["Time to make a PDF", SECONDS, "pdf_generation_time", [
    ["values", "render_p95_seconds", "p95", "--brand"], ["values", "render_mean_seconds", "mean", "--soft"]]],
  ["Requests that timed out", SHARE, "request_timeout_rate", [
    ["values", "timeout_ratio", "share", "--brand"],
    ["shadows", "request_timeout_rate", "if inline", "--near", [4, 3]]]],
  ["Waiting tasks", COUNT, "", [["values", "queue_depth", "queue depth", "--brand"]]],
  ["The oldest task waits", SECONDS, "", [["values", "queue_lag_seconds", "queue lag", "--brand"]]],
  ["Requests a minute", COUNT, "", [["values", "requests_per_minute", "requests", "--brand"]]],
  ["PDFs an hour", COUNT, "", [["values", "pdfs_per_hour", "PDFs", "--brand"]]],
  ["Offered load", SHARE, "offered_load", [["values", "offered_load", "share of the web threads", "--brand"]]],
  ["Active users", COUNT, "concurrent_users", [["values", "concurrent_users", "users", "--brand"]]],
];
const EVERY_MILLISECONDS = 60_000;
const HEIGHT = 170;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
let drawn = [];

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

function shown(value, [, sign]) {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${Number(value.toFixed(digits))}${sign && ` ${sign}`}`;
}

function rangeNow() {
  return document.querySelector("[data-range][aria-pressed=true]").dataset.range;
}

// Paints the periods of queue mode behind the lines.
function bands(data) {
  return (chart) => {
    const { ctx: context, bbox: { top, height } } = chart;
    context.save();
    context.fillStyle = token("--queue-tint");
    data.modes.forEach((mode, index) => {
      if (mode !== "queue") return;
      const from = chart.valToPos(data.times[Math.max(0, index - 1)], "x", true);
      const to = chart.valToPos(data.times[index], "x", true);
      context.fillRect(from, top, Math.max(1, to - from), height);
    });
    context.restore();
  };
}

function stroke(context, colour, dash, x1, y1, x2, y2) {
  context.save();
  context.strokeStyle = token(colour);
  context.lineWidth = window.devicePixelRatio;
  context.setLineDash(dash.map((length) => length * window.devicePixelRatio));
  context.beginPath();
  context.moveTo(x1, y1);
  context.lineTo(x2, y2);
  context.stroke();
  context.restore();
}

// Marks the mode changes, and the limit if it is within the scale.
function marks(data, limit) {
  return (chart) => {
    const { left, top, width, height } = chart.bbox;
    data.changes.forEach(({ at }) => {
      const x = chart.valToPos(at, "x", true);
      if (x >= left && x <= left + width) stroke(chart.ctx, "--queue", [2, 3], x, top, x, top + height);
    });
    if (limit === undefined || limit > chart.scales.y.max) return;
    const y = chart.valToPos(limit, "y", true);
    stroke(chart.ctx, "--bad", [6, 4], left, y, left + width, y);
  };
}

// Returns the chart's content as a sentence.
function summary(points, unit, limit, range) {
  const measured = points.filter((point) => point !== null);
  if (!measured.length) return "Nothing was measured in this time.";
  const now = points[points.length - 1];
  const parts = [
    now === null ? "now not known" : `now ${shown(now, unit)}`,
    `highest ${shown(Math.max(...measured), unit)}`, `lowest ${shown(Math.min(...measured), unit)} in ${range}`,
  ];
  if (limit !== undefined) parts.push(`limit ${shown(limit, unit)}`);
  return `${parts.join(", ")}.`;
}

// Creates the frame of a chart; all frames are created before the first chart is drawn, so that each has its width.
function frame([title, unit, name, lines], data, range) {
  const box = document.createElement("figure"), caption = document.createElement("figcaption");
  const heading = document.createElement("h3"), text = document.createElement("p");
  const scaled = lines
    .map(([column, series, label, colour, dash]) => ({ label, colour, dash, points: (data[column][series] || []) }))
    .filter(({ points }, index) => index === 0 || points.some((point) => point !== null))
    .map((line) => ({ ...line, points: data.times.map((_, at) => (line.points[at] ?? null) === null ? null : line.points[at] * unit[0]) }));
  const limit = data.limits[name] === undefined ? undefined : data.limits[name] * unit[0];
  const main = scaled.find(({ label }) => label === "p95") || scaled[0];
  box.className = "chart";
  heading.textContent = title;
  text.className = "what";
  const sentence = summary(main.points, unit, limit, range);
  text.textContent = scaled.length > 1 ? `${main.label}: ${sentence}` : sentence.replace(/^n/, "N");
  caption.append(heading, text);
  box.append(caption);
  const isEmpty = !scaled.some(({ points }) => points.some(Boolean));
  return { box, unit, lines: scaled, limit, title, isEmpty };
}

function draw({ box, unit, lines, limit, title }, data) {
  const axis = { stroke: token("--soft"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false } };
  const chart = new uPlot({
    width: box.clientWidth, height: HEIGHT, cursor: { y: false }, legend: { show: lines.length > 1 },
    hooks: { drawClear: [bands(data)], draw: [marks(data, limit)] },
    axes: [{ ...axis, size: 30, values: times }, { ...axis, size: 52, values: (_, ticks) => labels(ticks, unit) }],
    scales: { y: { range: (_, low, high) => [0, (high || 1) * 1.15] } },
    series: [{}, ...lines.map(({ label, colour, dash }) => ({
      label, dash, stroke: token(colour), width: 1.75, points: { show: false },
      value: (_, value) => (value === null ? "–" : shown(value, unit)),
    }))],
  }, [data.times, ...lines.map(({ points }) => points)], box);
  const canvas = box.querySelector("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title}; ${box.querySelector("figcaption p").textContent}`);
  return { chart, box };
}

// Labels the values' axis: as many decimals as the steps need, and the unit once, at the top.
function labels(ticks, [, sign]) {
  const step = ticks.length > 1 ? ticks[1] - ticks[0] : 1;
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9) + (isTwoDigits(step) ? 1 : 0));
  return ticks.map((tick, index) => tick.toFixed(decimals) + (sign && index === ticks.length - 1 ? ` ${sign}` : ""));
}

// Returns true for steps like 0.25, which need a digit more than 0.2.
function isTwoDigits(step) {
  const first = step / 10 ** Math.floor(Math.log10(step) + 1e-9);
  return step < 10 && Math.abs(first - Math.round(first)) > 1e-6;
}

// Labels the time axis like the rest of the page: days, and hours from 00 to 23.
function times(chart, ticks, _axis, _space, step) {
  const format = step >= 86400 ? { day: "numeric", month: "short" }
    : { hour: "2-digit", minute: "2-digit", hourCycle: "h23", ...(step < 60 && { second: "2-digit" }) };
  const written = new Intl.DateTimeFormat(undefined, format);
  return ticks.map((tick) => written.format(new Date(tick * 1000)));
}

// Returns the sentence that stands for the charts without data.
function sentence(titles, range) {
  const text = document.createElement("p");
  text.className = "empty";
  text.textContent = titles.length < CHARTS.length ? `Nothing, or nothing but 0, in ${range}: ${titles.join(", ")}.`
    : `Nothing was measured in ${range}. The charts begin with the first requests.`;
  return text;
}

async function load() {
  const place = document.getElementById("charts"), range = rangeNow();
  const answer = await fetch(`${place.dataset.url}?range=${range}`).catch(() => null);
  if (!answer?.ok || answer.redirected || range !== rangeNow()) return;
  const data = await answer.json();
  place.removeAttribute("aria-busy");
  const frames = CHARTS.map((chart) => frame(chart, data, range)), full = frames.filter(({ isEmpty }) => !isEmpty);
  drawn.forEach(({ chart }) => chart.destroy());
  drawn = [];
  const missing = sentence(frames.filter(({ isEmpty }) => isEmpty).map(({ title }) => title), range);
  if (data.times.length < 2 || !full.length) return place.replaceChildren(missing);
  place.replaceChildren(...full.map(({ box }) => box), ...(full.length < frames.length ? [missing] : []));
  drawn = full.map((chartFrame) => draw(chartFrame, data));
}

function choose(button) {
  document.querySelectorAll("[data-range]").forEach((other) => other.setAttribute("aria-pressed", other === button));
  load();
}

// Keeps the viewer's opened details open when their part is replaced.
let open = [];
document.body.addEventListener("htmx:beforeSwap", (event) => {
  open = [...event.detail.target.querySelectorAll("details[open][id]")].map((details) => details.id);
});
document.body.addEventListener("htmx:afterSwap", () => {
  markTarget();
  open.splice(0).forEach((id) => { const details = document.getElementById(id); if (details) details.open = true; });
  notice();
});

// Highlights the limit that the address names, also after its part is replaced: #p95_response_time.
function markTarget() {
  document.querySelectorAll(".is-target").forEach((row) => row.classList.remove("is-target"));
  document.getElementById(location.hash.slice(1))?.classList.add("is-target");
}
window.addEventListener("hashchange", markTarget);

// Fetches the evidence of details that were opened again: htmx has processed their part only now.
document.body.addEventListener("htmx:afterSettle", () => {
  document.querySelectorAll("#changes details[open]:has(.evidence:empty)").forEach((details) => details.dispatchEvent(new Event("toggle")));
});

// Fetches the mode changes after a new one, and announces a new answer to screen readers.
let shownBefore = {};
function notice() {
  const hero = document.querySelector(".hero");
  const now = { newest: hero.dataset.newest, answer: hero.querySelector(".answer").textContent };
  if (shownBefore.newest !== undefined && shownBefore.newest !== now.newest) document.body.dispatchEvent(new Event("changes"));
  if (shownBefore.answer !== undefined && shownBefore.answer !== now.answer) {
    document.getElementById("announcement").textContent = `Do I need a queue yet? ${now.answer}`;
  }
  shownBefore = now;
}

document.querySelectorAll("[data-range]").forEach((button) => button.addEventListener("click", () => choose(button)));
document.querySelectorAll("input[type=range]").forEach((slider) => slider.addEventListener("input", () => {
  document.querySelector(`output[for=${slider.id}]`).textContent = slider.value;
}));
document.body.addEventListener("click", (event) => { if (event.target.matches("[data-print]")) window.print(); });
window.addEventListener("beforeprint", () => { const details = document.getElementById("evaluation"); if (details) details.open = true; });
let resizing;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => drawn.forEach(({ chart, box }) => chart.setSize({ width: box.clientWidth, height: HEIGHT })), 100);
});
dark.addEventListener("change", load);
setInterval(() => { if (!document.hidden) load(); }, EVERY_MILLISECONDS);
document.addEventListener("visibilitychange", () => { if (!document.hidden) load(); });
notice();
markTarget();
load();
