// Small behaviours that markup asks for by data attributes.
const SECONDS_OF_THANKS = 2;

document.addEventListener("click", async (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens).showModal();

  if (event.target.closest("[data-closes]")) event.target.closest("dialog").close();

  const copier = event.target.closest("[data-copies]");
  if (copier) {
    await navigator.clipboard.writeText(copier.dataset.copies);
    copier.classList.add("is-done");
    setTimeout(() => copier.classList.remove("is-done"), SECONDS_OF_THANKS * 1000);
  }
});

// Without TLS a browser refuses the session's cookie, except from its own machine.
for (const notice of document.querySelectorAll("[data-insecure]")) {
  notice.hidden = window.isSecureContext;
}
