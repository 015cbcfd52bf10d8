// The review queue and the page of a sample: from keys and buttons to what they do.
import { call } from "./api.js";
import { showDone, showFailure } from "./toast.js";
import { Board } from "./review/board.js";
import { Bulk } from "./review/bulk.js";
import { ClassKeys } from "./review/class_keys.js";
import { Classes } from "./review/classes.js";
import { Conflicts } from "./review/conflict.js";
import { Decisions } from "./review/decisions.js";
import { listenToKeys } from "./review/keys.js";
import { Outbox } from "./review/outbox.js";
import { Pager } from "./review/pager.js";
import { Picker } from "./review/picker.js";
import { Records } from "./review/records.js";
import { Neighbours } from "./review/samples.js";
import { Tally } from "./review/tally.js";
import { show, tileOf } from "./review/tiles.js";
import { relabelTo, valueOf, words } from "./review/values.js";
import { View } from "./review/view.js";

const root = document.getElementById("review");
const { job, dataset, search, key } = root.dataset;
const mayReview = root.dataset.mayReview === "yes";
const isQueue = document.getElementById("bulk") !== null;
const placeKey = `labelaudit-place-${job}`;

const records = new Records();
const tally = new Tally(job);
const board = new Board(root, moved);
const view = new View(board);
const pager = isQueue ? new Pager(board, shown) : new Neighbours();

let complaint;
const outbox = new Outbox({
  onChange: (count, isHalted) => {
    tally.setWaiting(count, isHalted);
    if (!isHalted) complaint?.remove();
    if (!count && !isQueue) refresh();
  },
  onHalt: (error) => {
    const steps = outbox.count === 1 ? "Your last step is" : `Your last ${outbox.count} steps are`;
    const why = error.detail ?? "the service does not answer";
    complaint = showFailure(`${steps} not saved: ${why}.`, () => outbox.retry());
  },
});
const events = {
  changed: (record) => {
    const tile = tileOf(record.id);
    if (tile) show(tile, record);
  },
  decided: (count) => tally.add(count),
  refused: (error, retry) => showFailure(error.detail ?? error.message, retry),
  conflict: (record, mine) => conflicts.add(record, mine),
  reverted,
};
const decisions = new Decisions({ records, outbox, dataset, job, key, events });
const conflicts = new Conflicts(dataset, {
  onUse: (record, mine) => decisions.decide([record.id], () => mine),
  onClose: () => board.current?.focus(),
});
const classes = new Classes(dataset, {
  onReady: () => moved(board.current),
  onFail: () => showFailure("The classes could not be fetched.", () => location.reload()),
});
const classKeys = new ClassKeys(classes, chooseClass);
const picker = new Picker(classes, (name) => {
  classes.use(name);
  decide((record) => relabelTo(name, record.given));
});
const bulk = isQueue ? new Bulk({ dataset, job, make: makeBulk }) : undefined;
const reasons = document.getElementById("exclude-reason");

function moved(tile) {
  classKeys?.show(tile && records.get(tile.dataset.sample));
  if (!tile) return;
  view?.enlarge(tile);
  sessionStorage.setItem(placeKey, tile.dataset.sample);
}

/** Decide on the current sample or the selected ones, and go on to the next that is undecided. */
function decide(choose) {
  const targets = board.targets;
  if (!mayReview || !targets.length) return;
  decisions.decide(
    targets.map((tile) => tile.dataset.sample),
    choose,
  );
  const last = board.indexOf(targets.at(-1));
  const next = board.tiles.slice(last + 1).find((tile) => !tile.dataset.decision);
  board.selectNone();
  board.moveTo(next ?? targets.at(-1));
  const done = words(records.get(targets[0].dataset.sample).value);
  const rest = next || !isQueue ? "" : " This page is done: N shows the next one.";
  say(`${targets.length > 1 ? `${targets.length} samples: ` : ""}${done}.${rest}`);
  root.classList.toggle("is-page-done", !next && isQueue);
}

function chooseClass(digit) {
  const record = board.current && records.get(board.current.dataset.sample);
  if (!record) return;
  const label = classes.keysFor(record)[digit - 1];
  // Of several samples, 1 and 2 mean each its own suggestion and its own label.
  if (digit === 1) decide(({ suggested, given }) => relabelTo(suggested, given));
  else if (digit === 2) decide(() => valueOf({ decision: "keep" }));
  else if (label !== undefined) decide(({ given }) => relabelTo(label, given));
}

function reverted(kind, ids, count) {
  tally.add(kind === "undo" ? -count : count);
  ids.forEach((id) => events.changed(records.get(id) ?? { id, value: valueOf({}) }));
  const tiles = ids.map(tileOf).filter(Boolean);
  const samples = count === 1 ? "1 sample" : `${count.toLocaleString("en")} samples`;
  const where = tiles.length ? "" : ", not on this page";
  showDone(`${kind === "undo" ? "Undone" : "Done again"}: ${samples}${where}`);
  if (document.querySelector("dialog[open]")) return;
  board.moveTo(tiles[0]);
  root.classList.remove("is-page-done");
}

/** Send a bulk decision when all before it is sent; returns once it is made. */
async function makeBulk(body) {
  await outbox.idle();
  // Without an answer it is not sent again by itself: the dialog tells, and the reviewer looks.
  const { count, step } = await call("POST", `/v1/datasets/${dataset}/decisions`, { body });
  if (step) decisions.steps.push(step.step_id);
  tally.add(count);
  const samples = count === 1 ? "1 sample" : `${count.toLocaleString("en")} samples`;
  showDone(`Decided on ${samples}. Z takes it back.`);
  refresh();
}

function refresh() {
  pager.refresh().catch(() => showFailure("The page could not be fetched.", refresh));
}

/** Take in the page that is shown now. */
function shown({ place = "first" } = {}) {
  records.bind(board.tiles);
  for (const tile of board.tiles) show(tile, records.get(tile.dataset.sample));
  root.classList.remove("is-page-done");
  view.apply();
  board.moveTo(board.tiles.find((tile) => tile.dataset.sample === place) ?? board.tiles[0]);
  if (!board.tiles.length) moved(undefined);
}

async function turn(delta) {
  if (!isQueue) await outbox.idle();
  try {
    const isThere = delta > 0 ? await pager.next() : pager.previous();
    if (isThere && delta < 0) board.moveTo(board.tiles.at(-1));
    if (!isThere) say(delta > 0 ? "This is the last page." : "This is the first page.");
  } catch {
    showFailure("The page could not be fetched.", () => turn(delta));
  }
}

function say(text) {
  document.getElementById("said").textContent = text;
}

const DIRECTIONS = {
  ArrowLeft: () => -1,
  ArrowRight: () => 1,
  ArrowUp: () => -board.columns,
  ArrowDown: () => board.columns,
};
const LETTERS = { h: "ArrowLeft", l: "ArrowRight", k: "ArrowUp", j: "ArrowDown" };

function go(direction) {
  const delta = DIRECTIONS[direction]();
  if (!board.step(delta)) turn(Math.sign(delta));
}

function extend(pressed) {
  const name = pressed.replace("Shift+", "");
  board.step(DIRECTIONS[LETTERS[name] ?? name](), { extend: true });
}

function escape() {
  if (board.selected.length) board.selectNone();
  else if (view.isSingle) view.setSingle(false);
  else document.getElementById("to-queue")?.click();
}

async function openSample() {
  await outbox.idle();
  const id = board.current?.dataset.sample;
  if (id) location.assign(`/jobs/${job}/samples/${id}?${search}`);
}

const actions = {
  accept: () => chooseClass(1),
  keep: () => chooseClass(2),
  unsure: () => decide(() => valueOf({ decision: "unsure" })),
  exclude: () => mayReview && board.targets.length && reasons.showModal(),
  "class-key": (digit) => chooseClass(Number(digit)),
  "pick-class": () => mayReview && board.targets.length && picker.open(),
  undo: () => mayReview && decisions.undo(),
  redo: () => mayReview && decisions.redo(),
  bulk: () => mayReview && bulk.open(),
  left: () => go("ArrowLeft"),
  right: () => go("ArrowRight"),
  up: () => go("ArrowUp"),
  down: () => go("ArrowDown"),
  extend,
  toggle: () => board.current && board.toggle(board.current),
  "select-all": () => board.selectAll(),
  escape,
  first: () => board.moveTo(board.tiles[0]),
  last: () => board.moveTo(board.tiles.at(-1)),
  "next-page": () => turn(1),
  "previous-page": () => turn(-1),
  single: () => view.setSingle(!view.isSingle),
  "more-columns": () => view.addColumns(1),
  "fewer-columns": () => view.addColumns(-1),
  open: openSample,
  filters: () => {
    const filters = document.getElementById("filters");
    filters.open = true;
    filters.querySelector("select").focus();
  },
  help: () => document.getElementById("keys").showModal(),
};

listenToKeys((action, pressed) => actions[action](pressed));
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-action]");
  if (button) actions[button.dataset.action]();
});
root.addEventListener("dblclick", (event) => {
  if (isQueue && event.target.closest(".tile")) openSample();
});

function exclude(button) {
  reasons.close();
  decide(() => valueOf({ decision: "exclude", reason: button.dataset.reason }));
}
reasons.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reason]");
  if (button) exclude(button);
});
reasons.addEventListener("keydown", (event) => {
  const button = reasons.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (!button || event.repeat) return;
  event.preventDefault();
  exclude(button);
});

// An image that is gone leaves its place.
root.addEventListener("error", ({ target }) => target.classList?.add("is-missing"), true);

shown({ place: sessionStorage.getItem(placeKey) });
