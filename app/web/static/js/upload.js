// Uploading a data set: in pieces, so that it can pause, and go on after a reload or a lost line.
import { call } from "./api.js";
import { Rate, duration, size } from "./amounts.js";

const ENDPOINT = "/v1/uploads";
const PIECE_BYTES = 16 * 2 ** 20;
const RETRIES_MS = [0, 1000, 3000, 5000, 10_000, 20_000];

const dialog = document.getElementById("upload");
const form = dialog.querySelector("form");
const part = (name) => dialog.querySelector(`[data-part=${name}]`);
const stopped = document.querySelector("[data-stopped]");
let running; // { file, upload, isPaused } while there is one

form.elements.file.addEventListener("change", () => choose(form.elements.file.files[0]));
form.addEventListener("submit", (event) => event.preventDefault());
part("pause").addEventListener("click", () => (running.isPaused ? resume() : pause()));
part("give-up").addEventListener("click", giveUp);
part("other").addEventListener("click", giveUp);
part("again").addEventListener("click", () => begin(running.file));
addEventListener("beforeunload", (event) => running && !running.isPaused && event.preventDefault());
dropAnywhere();
remindOfStopped();

function choose(file) {
  if (file && !running) begin(file);
}

async function begin(file) {
  show("progress");
  stopped.hidden = true;
  part("name").textContent = file.name;
  const upload = new tus.Upload(file, {
    endpoint: ENDPOINT,
    chunkSize: PIECE_BYTES,
    retryDelays: RETRIES_MS,
    headers: { "X-Label-Audit": "1" },
    metadata: { filename: file.name },
    onProgress: progressTeller(),
    onSuccess: () => register(upload),
    onError: (error) => fail(error),
  });
  running = { file, upload, isPaused: false };
  const [earlier] = await upload.findPreviousUploads();
  if (earlier) upload.resumeFromPreviousUpload(earlier);
  resume();
}

function resume() {
  running.isPaused = false;
  part("pause").textContent = "Pause";
  running.upload.start();
}

async function pause() {
  running.isPaused = true;
  part("pause").textContent = "Go on";
  part("rate").textContent = "Paused. It can go on later, also after you close this page.";
  await running.upload.abort();
}

async function giveUp() {
  const { upload } = running;
  running = undefined;
  show("choice");
  await upload.abort(true).catch(() => {}); // what is left over expires by itself
  await forget(upload);
}

function progressTeller() {
  const rate = new Rate();
  return (sent, total) => {
    part("bar").value = sent / total;
    part("amount").textContent = `${size(sent)} of ${size(total)}`;
    const speed = rate.add(sent);
    if (running?.isPaused || !speed) return;
    part("rate").textContent = `${size(speed)}/s, ${duration((total - sent) / speed)} left`;
  };
}

async function register(upload) {
  part("rate").textContent = "Uploaded. Handing it over …";
  const { name, preset } = form.elements;
  const body = { upload_id: upload.url.split("/").pop(), name: name.value.trim() };
  body.audit = preset.value === "none" ? "none" : { preset: preset.value };
  try {
    const { job_id: jobId } = await call("POST", "/v1/datasets", { body });
    await forget(upload);
    running = undefined;
    location.assign(`/jobs/${jobId}`);
  } catch (problem) {
    // What was refused for its content would be refused again.
    const isFinal = problem.code === "unknown_archive";
    if (isFinal) await forget(upload);
    showProblem(wordsOf(problem), { isFinal });
  }
}

function fail(error) {
  const reply = error.originalResponse;
  let problem = {};
  try {
    problem = JSON.parse(reply?.getBody() ?? "");
  } catch {
    // no words of the service
  }
  if (reply?.getStatus() === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
  showProblem(problem.detail ?? "The connection was lost. What was sent so far is kept.");
}

function wordsOf(problem) {
  if (!problem.status) return "The service does not answer. The upload is whole and kept there.";
  const [first] = problem.errors ?? [];
  return first?.message ?? first?.msg ?? problem.message;
}

function showProblem(text, { isFinal = false } = {}) {
  if (!running) return;
  running.isPaused = true;
  part("again").hidden = isFinal;
  show("problem");
  part("problem-text").textContent = text;
}

/** Forget where an upload was kept, so that the same file begins anew. */
async function forget(upload) {
  const storage = upload.options.urlStorage;
  for (const { urlStorageKey } of await upload.findPreviousUploads()) {
    await storage.removeUpload(urlStorageKey);
  }
}

function show(name) {
  for (const step of dialog.querySelectorAll("[data-step]")) step.hidden = step.dataset.step !== name;
  if (!dialog.open) dialog.showModal();
  if (name === "choice") form.reset();
}

function dropAnywhere() {
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    if (!dialog.open) dialog.showModal();
    part("drop").classList.add("is-over");
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) part("drop").classList.remove("is-over");
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    part("drop").classList.remove("is-over");
    choose(event.dataTransfer.files[0]);
  });
}

/** Say what was not finished: a browser may not open the file again by itself. */
async function remindOfStopped() {
  const stored = await tus.defaultOptions.urlStorage.findAllUploads();
  const [latest] = stored.filter((row) => Date.now() - Date.parse(row.creationTime) < 86_400_000);
  if (!latest || running) return;
  stopped.querySelector("[data-stopped-name]").textContent = latest.metadata.filename;
  stopped.hidden = false;
}
