// The list of promises: a form opens one.
import { call } from "./api.js";
import { listenToKeys } from "./review/keys.js";
import { showFailure } from "./toast.js";

const { job } = document.getElementById("promises").dataset;

for (const form of document.querySelectorAll("form[data-kind]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    open(form);
  });
}

listenToKeys(() => document.getElementById("to-queue").click());

async function open(form) {
  const button = form.querySelector("[type=submit]");
  button.disabled = true;
  const terms = { kind: form.dataset.kind };
  for (const [name, text] of new FormData(form)) terms[name] = Number(text) || text;
  try {
    const promise = await call("POST", `/v1/jobs/${job}/promises`, { body: terms });
    location.assign(`/promises/${promise.id}`);
  } catch (error) {
    showFailure(error.detail ?? "The service does not answer.", () => open(form));
  } finally {
    button.disabled = false;
  }
}
