// Asks the public API, and follows a task to its end, whoever runs it: the request or a worker.
"use strict";

const LOOK_MILLISECONDS = 400;
const ENDED = ["succeeded", "failed", "cancelled"];

const pause = () => new Promise((done) => { setTimeout(done, LOOK_MILLISECONDS); });
const hasEnded = (task) => ENDED.includes(task.status);
const token = () => document.querySelector("[name=csrfmiddlewaretoken]").value;
// A fetch that finds no server raises TypeError; everything else carries its own words.
const wordsOf = (error) => (error instanceof TypeError ? "The server does not answer. Try again in a moment." : error.message);

async function ask(url, options = {}) {
  const headers = { "X-CSRFToken": token(), Accept: "application/json", ...options.headers };
  const answer = await fetch(url, { ...options, headers });
  const body = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw Object.assign(new Error([body.title, body.detail].filter(Boolean).join(". ")), { status: answer.status });
  return { status: answer.status, body };
}

// Shows each state that the server sends by itself; returns the task when it has ended, or null when there is no stream.
function streamed(url, show, sayAway) {
  if (document.body.dataset.events === undefined) return null;
  const source = new EventSource(`${url}events/`);
  return new Promise((done) => {
    const end = (task) => { source.close(); done(task); };
    source.addEventListener("task", (event) => {
      const task = JSON.parse(event.data);
      if (hasEnded(task)) end(task); else show(task);
    });
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) end(null); else sayAway("The server does not answer; waiting for it.");
    });
  });
}

// Shows each state of a task until it has ended, and returns it then. A server that is away for a moment is asked again.
async function follow(url, show, sayAway) {
  const ended = await streamed(url, show, sayAway);
  if (ended) return ended;
  for (;;) {
    try {
      const { body } = await ask(url);
      if (hasEnded(body)) return body;
      show(body);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      sayAway("The server does not answer; waiting for it.");
    }
    await pause();
  }
}

const placeInQueue = (task) => `Number ${task.queue.position} in the queue; ready in about ${task.queue.estimated_seconds} s.`;

// Puts a value under a name such as arguments.filters.year.
function put(values, name, value) {
  const path = name.split("."), last = path.pop();
  let place = values;
  for (const step of path) place = place[step] ??= {};
  place[last] = value;
}

// What a form sends: a file as multipart, everything else as JSON; a box is true or false, a field with data-list has a
// value a line, an empty field is left out.
function bodyOf(form) {
  if (form.enctype === "multipart/form-data") {
    const body = new FormData(form);
    body.delete("csrfmiddlewaretoken"); // it goes with the headers
    return { body };
  }
  const values = {};
  for (const field of form.elements) {
    if (!field.name || field.name === "csrfmiddlewaretoken" || field.disabled) continue;
    if (field.type === "checkbox") put(values, field.name, field.checked);
    else if (field.dataset.list !== undefined) put(values, field.name, field.value.split(/\s+/).filter(Boolean));
    else if (field.value !== "" && (field.type !== "radio" || field.checked)) put(values, field.name, field.value);
  }
  return { body: JSON.stringify(values), headers: { "Content-Type": "application/json" } };
}

// <form data-task-url="…" data-counts="rows">: sends itself, and shows in its .task how far the task is and where its file is.
class TaskForm {
  constructor(form) {
    this.form = form;
    this.box = form.querySelector(".task");
    this.bar = this.box.querySelector("progress");
    this.words = this.box.querySelector("[role=status]");
    this.problem = this.box.querySelector("[role=alert]");
    this.cancelButton = this.box.querySelector("button");
    this.url = null; // of the task in flight
    form.addEventListener("submit", (event) => { event.preventDefault(); this.send(); });
    this.cancelButton.addEventListener("click", () => { if (this.url) ask(`${this.url}cancel/`, { method: "POST" }).catch(() => {}); });
    if (form.dataset.task) this.run(() => this.followed(form.dataset.task));
  }

  say(text) { if (this.words.textContent !== text) this.words.textContent = text; }

  show(task) {
    if (task.queue) this.say(placeInQueue(task));
    else if (task.message && task.status === "retrying") this.say(`The attempt failed; the next one follows soon. ${task.message}`);
    else this.say([task.progress.phase || "Starting", task.progress.pages ? `${task.progress.pages} ${this.form.dataset.counts}` : ""].filter(Boolean).join(": "));
  }

  followed(url) {
    this.url = url;
    this.cancelButton.hidden = false;
    return follow(url, (task) => this.show(task), (text) => this.say(text));
  }

  send() {
    return this.run(async () => {
      const { status, body } = await ask(this.form.dataset.taskUrl, { method: "POST", ...bodyOf(this.form) });
      return status === 202 ? this.followed(`${this.form.dataset.tasks}${(body.task ?? body).task_id}/`) : body;
    });
  }

  async run(work) {
    const button = this.form.querySelector("[type=submit]");
    button.disabled = true;
    this.box.hidden = this.bar.hidden = false;
    this.problem.hidden = true;
    this.say("Starting.");
    try {
      const task = await work();
      if (task.status === "failed") throw new Error([task.error?.title, task.error?.detail].filter(Boolean).join(". "));
      this.say(task.message || (task.status === "cancelled" ? "The task was cancelled." : "Done."));
    } catch (error) {
      this.say("");
      this.problem.textContent = wordsOf(error);
      this.problem.hidden = false;
    }
    this.url = null;
    this.bar.hidden = this.cancelButton.hidden = true;
    button.disabled = false;
    document.dispatchEvent(new Event("task-ended"));
  }
}

const bindForms = (root) => root.querySelectorAll("form[data-task-url]").forEach((form) => new TaskForm(form));
bindForms(document);

// <form data-api-url="…" data-api-method="PATCH">: sends itself, shows what is wrong with it, and has the page's parts renewed.
document.body.addEventListener("submit", async (event) => {
  const form = event.target;
  if (form.dataset.apiUrl === undefined || event.defaultPrevented) return;
  event.preventDefault();
  const problem = form.querySelector("[role=alert]") || document.getElementById("problem");
  problem.hidden = true;
  try {
    await ask(form.dataset.apiUrl, { method: form.dataset.apiMethod || "POST", ...bodyOf(form) });
    if (form.dataset.apiMethod === undefined) form.reset();
    document.dispatchEvent(new Event("task-ended"));
  } catch (error) {
    problem.textContent = wordsOf(error);
    problem.hidden = false;
  }
});

// <div data-part-url="…">: the server renders it again whenever a task of this page has ended.
document.addEventListener("task-ended", () => document.querySelectorAll("[data-part-url]").forEach(async (part) => {
  const answer = await fetch(part.dataset.partUrl);
  if (!answer.ok) return;
  part.innerHTML = await answer.text(); // rendered and escaped by the server, like the page itself
  localTimes(part);
  bindForms(part);
}));
