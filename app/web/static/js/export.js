// The export dialog: asks for the file, shows how far it is, and offers it.
import { call } from "./api.js";
import { size } from "./amounts.js";

const POLL_MS = 700;

/** Serve the forms of exports that are on the page, or come onto it. */
export function watchExports() {
  document.addEventListener("change", (event) => {
    const form = event.target.closest("[data-export]");
    if (form) showThreshold(form);
  });
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-export]")) return;
    event.preventDefault();
    run(event.target);
  });
}

function showThreshold(form) {
  const wanted = form.elements.labels.value === "suggestions";
  form.querySelector("[data-threshold]").hidden = !wanted;
  form.elements.min_p.disabled = !wanted;
}

async function run(form) {
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  const bar = show(form, "running").querySelector("progress");
  try {
    const url = `/v1/datasets/${form.dataset.export}/exports`;
    const { export_id: id } = await call("POST", url, { body: optionsOf(form) });
    const done = await finished(id, (fraction) => (bar.value = fraction));
    if (done.state !== "succeeded") throw new Error(done.error?.detail || "The export was stopped.");
    const link = show(form, "done").querySelector("a");
    Object.assign(link, { href: done.file.url, download: done.file.name });
    link.textContent = `Download ${done.file.name}`;
    link.nextElementSibling.textContent = size(done.file.size);
    link.focus();
  } catch (problem) {
    const isUnanswered = problem instanceof TypeError;
    show(form, "failed").textContent = isUnanswered ? "The service does not answer." : problem.message;
  } finally {
    button.disabled = false;
  }
}

function optionsOf(form) {
  const { format, labels, excluded, min_p: minP } = form.elements;
  const options = { format: format.value, labels: labels.value, excluded: excluded.value, job_id: form.dataset.job };
  return minP.disabled ? options : { ...options, min_p: Number(minP.value) / 100 };
}

async function finished(id, onFraction) {
  for (;;) {
    const state = await call("GET", `/v1/exports/${id}`);
    onFraction(state.fraction);
    if (!["queued", "running"].includes(state.state)) return state;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function show(form, name) {
  const part = document.getElementById(`export-${name}`).content.cloneNode(true);
  const result = form.querySelector("[data-export-result]");
  result.replaceChildren(part);
  result.scrollIntoView({ block: "nearest" });
  return name === "failed" ? result.firstElementChild : result;
}
