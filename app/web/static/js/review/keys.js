// Keys to actions. The table is the help dialog: what it shows is what works.
const EDITABLE = "input, select, textarea, [contenteditable]";
const NATIVE = new Set(["Enter", "Space"]);
// Whoever holds a key moves on; nothing is decided or undone again and again.
const REPEATABLE = new Set(["left", "right", "up", "down", "extend", "more-columns", "fewer-columns"]);

/** Call `run(action, key, event)` for each key of the table, unless something else wants the key. */
export function listenToKeys(run) {
  const actions = new Map();
  for (const row of document.querySelectorAll("[data-keys]")) {
    for (const key of row.dataset.keys.split(" ")) actions.set(key, row.dataset.action);
  }
  document.addEventListener("keydown", (event) => {
    const key = nameOf(event);
    const action = actions.get(key);
    // A button that has the focus would be pressed again too.
    if (event.repeat && NATIVE.has(key) && event.target.closest("button")) event.preventDefault();
    if (!action || isTaken(event, key)) return;
    event.preventDefault();
    if (!event.repeat || REPEATABLE.has(action)) run(action, key);
  });
}

function isTaken(event, key) {
  if (event.altKey || event.isComposing || document.querySelector("dialog[open]")) return true;
  // A dialog that this very key has closed is no longer open, but the key was meant for it.
  if (event.target.closest(`dialog, ${EDITABLE}`)) return true;
  return NATIVE.has(key) && event.target.closest("a, button, summary") !== null;
}

function nameOf({ key, ctrlKey, metaKey, shiftKey }) {
  const name = key === " " ? "Space" : key.length === 1 ? key.toLowerCase() : key;
  // What shift makes of a sign is the sign itself: `?` needs no Shift in front of it.
  const isSign = name.length === 1 && !/[a-z]/.test(name);
  return (ctrlKey || metaKey ? "Ctrl+" : "") + (shiftKey && !isSign ? "Shift+" : "") + name;
}
