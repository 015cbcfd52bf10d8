// Short messages at the edge of the page. What failed stays until it is closed or repeated.
const SECONDS_TO_READ = 5;

/** Tell of something that went well. */
export function showDone(text) {
  const toast = add(text, "good");
  setTimeout(() => toast.remove(), SECONDS_TO_READ * 1000);
}

/** Tell what failed; `retry`, if given, is called by a button. The same text shows once. */
export function showFailure(text, retry) {
  const toast = add(text, "bad");
  toast.setAttribute("role", "alert");
  const button = toast.querySelector(".toast__retry");
  button.hidden = retry === undefined;
  button.addEventListener("click", () => {
    toast.remove();
    retry();
  });
  return toast;
}

/** Put another text into a message that is shown. */
export function retell(toast, text) {
  toast.querySelector(".toast__text").textContent = text;
}

function add(text, tone) {
  const region = document.getElementById("toasts");
  for (const earlier of region.children) {
    if (earlier.querySelector(".toast__text").textContent === text) earlier.remove();
  }
  const template = document.getElementById("toast-template");
  const toast = template.content.firstElementChild.cloneNode(true);
  toast.classList.add(`toast--${tone}`);
  toast.querySelector(".toast__text").textContent = text;
  toast.querySelector(".toast__close").addEventListener("click", () => toast.remove());
  region.append(toast);
  return toast;
}
