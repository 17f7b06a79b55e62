// The charts, and the numbers beside the sliders; everything else is HTML.
"use strict";

const CHARTS = [
  ["p95_response_time", "p95 response time (s)", 1],
  ["average_response_time", "Average response time (s)", 1],
  ["request_timeout_rate", "Timeouts (%)", 100],
  ["pdf_generation_time", "p95 of PDF generation (s)", 1],
  ["offered_load", "Offered load (%)", 100],
  ["concurrent_users", "Active users", 1],
];

function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

// Paints the time in queue mode behind the lines.
function bands(data) {
  return (chart) => {
    const context = chart.ctx, { top, height } = chart.bbox;
    context.save();
    context.fillStyle = token("--queue-tint");
    data.modes.forEach((mode, index) => {
      if (mode !== "queue") return;
      const from = chart.valToPos(data.times[index], "x", true);
      const to = chart.valToPos(data.times[Math.min(index + 1, data.times.length - 1)], "x", true);
      context.fillRect(from, top, Math.max(1, to - from), height);
    });
    context.restore();
  };
}

// Makes the place of a chart; all are made before the first is drawn, so that each knows its width.
function frame(title) {
  const box = document.createElement("div");
  box.className = "chart";
  const heading = document.createElement("h3");
  heading.textContent = title;
  box.append(heading);
  return box;
}

function draw(box, [name, , factor], data) {
  const scale = (points) => (points || []).map((point) => (point === null ? null : point * factor));
  const axis = { stroke: token("--soft"), grid: { stroke: token("--line"), width: 1 }, ticks: { show: false } };
  const line = (label, colour, dash) => ({ label, stroke: colour, width: 1.75, dash, points: { show: false } });
  new uPlot({
    width: box.clientWidth, height: 180, cursor: { y: false },
    hooks: { drawClear: [bands(data)] },
    axes: [axis, { ...axis, size: 48 }],
    scales: { y: { range: (_, low, high) => [0, Math.max(high, 0.001) * 1.1] } },
    series: [{}, line("now", token("--brand")), line("inline it would be", token("--near"), [4, 3])],
  }, [data.times, scale(data.values[name]), scale(data.shadows[name])], box);
}

async function load(range) {
  const place = document.getElementById("charts");
  const answer = await fetch(`${place.dataset.url}?range=${range}`);
  if (!answer.ok) return;
  const data = await answer.json();
  if (data.times.length < 2) return;
  const boxes = CHARTS.map(([, title]) => frame(title));
  place.replaceChildren(...boxes);
  CHARTS.forEach((chart, index) => draw(boxes[index], chart, data));
}

document.querySelectorAll("[data-range]").forEach((button) => button.addEventListener("click", () => {
  document.querySelectorAll("[data-range]").forEach((one) => one.setAttribute("aria-pressed", one === button));
  load(button.dataset.range);
}));
document.querySelectorAll("input[type=range]").forEach((slider) => slider.addEventListener("input", () => {
  document.querySelector(`output[for=${slider.id}]`).textContent = slider.value;
}));
load("24h");
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  load(document.querySelector("[data-range][aria-pressed=true]").dataset.range);
});
