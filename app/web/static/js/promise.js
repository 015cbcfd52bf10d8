// One promise: its checks, one picture at a time. An answer is sent before the next one is shown,
// so that what is proved is always what the page says.
import { call } from "./api.js";
import { listenToKeys } from "./review/keys.js";
import { Classes } from "./review/classes.js";
import { Picker } from "./review/picker.js";
import { showDone, showFailure } from "./toast.js";

const root = document.getElementById("promise");
const { promise, dataset } = root.dataset;
const mayReview = root.dataset.mayReview === "yes";
const address = `/v1/promises/${promise}`;
const check = document.getElementById("check");
const image = document.getElementById("check-image");
const reasons = document.getElementById("exclude-reason");

const classes = new Classes(dataset, {
  onReady: () => {},
  onFail: () => showFailure("The classes could not be fetched. Load the page again."),
});
const picker = new Picker(classes, (label) => answer({ decision: "relabel", label }));

const steps = []; // of this sitting, to be taken back
let waiting = [];
let isBusy = false;

/** Do one thing at a time: a key that comes meanwhile is of a picture that is answered already. */
async function alone(act) {
  if (isBusy) return;
  isBusy = true;
  root.setAttribute("aria-busy", "true");
  try {
    await act();
  } catch (error) {
    showFailure(error.detail ?? "The service does not answer.", () => alone(act));
  } finally {
    isBusy = false;
    root.removeAttribute("aria-busy");
  }
}

async function load() {
  waiting = (await call("GET", `${address}/checks?limit=20`)).items;
  show();
}

function show() {
  const current = waiting[0];
  check.hidden = !current;
  check.dataset.sample = current?.sample_id ?? "";
  if (!current) return;
  document.getElementById("check-label").textContent = current.given_label;
  image.hidden = !current.has_image;
  document.getElementById("check-blank").hidden = current.has_image;
  if (current.has_image) image.src = imageOf(current);
  if (waiting[1]?.has_image) new Image().src = imageOf(waiting[1]);
}

function imageOf({ sample_id }) {
  return `/v1/samples/${sample_id}/image`;
}

function answer(decided) {
  return alone(async () => {
    const [current] = waiting;
    if (!current || !mayReview) return;
    const body = { sample_id: current.sample_id, ...decided };
    try {
      steps.push((await call("POST", `${address}/answers`, { body })).decision.step_id);
    } catch (error) {
      // By somebody else, or by this very answer, whose reply was lost.
      if (error.code !== "check_answered") throw error;
    }
    waiting.shift();
    await renew();
    if (waiting.length) show();
    else await load();
  });
}

function undo() {
  return alone(async () => {
    const step = steps.at(-1);
    if (step === undefined) return;
    await call("POST", `/v1/datasets/${dataset}/decisions/undo`, { body: { step_id: step } });
    steps.pop();
    await renew();
    await load();
  });
}

function accept(count) {
  return alone(async () => {
    const done = await call("POST", `${address}/accept`, { body: { expected_count: count } });
    showDone(`${done.count} samples accepted. Undo it in the queue, with Z.`);
    await renew();
  });
}

function close() {
  return alone(async () => {
    await call("POST", `${address}/close`);
    await renew();
    await load();
  });
}

/** Take what is proved from the page as the service makes it. */
async function renew() {
  const reply = await fetch(location.href, { headers: { Accept: "text/html" } });
  if (!reply.ok) throw new Error();
  const page = new DOMParser().parseFromString(await reply.text(), "text/html");
  document.getElementById("promise-story").replaceWith(page.getElementById("promise-story"));
}

const ACTIONS = {
  keep: () => answer({ decision: "keep" }),
  unsure: () => answer({ decision: "unsure" }),
  exclude: () => mayReview && waiting.length && reasons.showModal(),
  "pick-class": () => mayReview && waiting.length && picker.open(),
  undo,
  close,
  accept: (button) => accept(Number(button.dataset.count)),
  escape: () => document.getElementById("to-promises").click(),
  help: () => document.getElementById("keys").showModal(),
};

listenToKeys((action) => ACTIONS[action]?.());
root.addEventListener("click", (event) => {
  const button = event.target.closest("[data-action]");
  if (button) ACTIONS[button.dataset.action](button);
});
function exclude(reason) {
  reasons.close();
  answer({ decision: "exclude", reason });
}
reasons.addEventListener("click", (event) => {
  const chosen = event.target.closest("[data-reason]");
  if (chosen) exclude(chosen.dataset.reason);
});
reasons.addEventListener("keydown", (event) => {
  const chosen = reasons.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!chosen) return;
  event.preventDefault();
  exclude(chosen.dataset.reason);
});

alone(load);
