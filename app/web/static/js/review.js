// The pages of a review, by their mode: everything (`queue`), what is one's own (`share`), where
// reviewers differ (`differences`), one `sample`. From keys and buttons to what they do.
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
import { Share } from "./review/share.js";
import { Tally } from "./review/tally.js";
import { show, tileOf } from "./review/tiles.js";
import { relabelTo, valueOf, words } from "./review/values.js";
import { View } from "./review/view.js";

const root = document.getElementById("review");
const { job, dataset, search, key, mode } = root.dataset;
const mayReview = root.dataset.mayReview === "yes";
const isBoard = mode !== "sample";
const placeKey = `labelaudit-place-${job}-${mode}`;

const records = new Records();
const tally = new Tally(job);
const board = new Board(root, moved);
const view = new View(board);
const pager = isBoard ? new Pager(board, shown) : new Neighbours();

let complaint;
const outbox = new Outbox({
  onChange: (count, isHalted) => {
    tally.setWaiting(count, isHalted);
    if (!isHalted) complaint?.remove();
    if (!count && !isBoard) refresh();
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
    if (mode === "share") share.show(board.tiles);
  },
  decided: (count) => tally.add(count),
  refused: (error, retry) => showFailure(error.detail ?? error.message, retry),
  conflict: (record, mine) => conflicts.add(record, mine),
  reverted,
};
const resolves = mode === "differences";
const decisions = new Decisions({ records, outbox, dataset, job, key, resolves, events });
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
const bulk = mode === "queue" ? new Bulk({ dataset, job, make: makeBulk }) : undefined;
const share = new Share(job);
const reasons = document.getElementById("exclude-reason");

function moved(tile) {
  const record = tile && records.get(tile.dataset.sample);
  classKeys?.show(record);
  root.classList.toggle("has-no-suggestion", Boolean(record) && !record.suggested);
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
  const more = mode === "share" ? "takes the next ones" : "shows the next one";
  const rest = next || !isBoard ? "" : ` This page is done: N ${more}.`;
  say(`${targets.length > 1 ? `${targets.length} samples: ` : ""}${done}.${rest}`);
  root.classList.toggle("is-page-done", !next && isBoard);
}

function chooseClass(digit) {
  const record = board.current && records.get(board.current.dataset.sample);
  if (!record) return;
  if (record.opinions.length >= digit) {
    return decide(({ opinions }) => valueOf(opinions[Math.min(digit, opinions.length) - 1]));
  }
  const label = classes.keysFor(record)[digit - 1];
  // Of several samples, 1 and 2 mean each its own suggestion and its own label.
  const isBlind = board.targets.some((tile) => !tile.dataset.suggested);
  if (digit === 1 && isBlind) say("No suggestion is shown here.");
  else if (digit === 1) decide(({ suggested, given }) => relabelTo(suggested, given));
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
  if (mode === "share") share.show(board.tiles);
  root.classList.remove("is-page-done");
  view.apply();
  board.moveTo(board.tiles.find((tile) => tile.dataset.sample === place) ?? board.tiles[0]);
  if (!board.tiles.length) moved(undefined);
}

async function turn(delta) {
  if (mode === "share" && delta > 0) return goOnWithShare();
  if (!isBoard) await outbox.idle();
  try {
    const isThere = delta > 0 ? await pager.next() : pager.previous();
    if (isThere && delta < 0) board.moveTo(board.tiles.at(-1));
    if (!isThere) say(delta > 0 ? "This is the last page." : "This is the first page.");
  } catch {
    showFailure("The page could not be fetched.", () => turn(delta));
  }
}

/** Take the next samples for the reviewer alone; from the queue, go to what they hold already. */
async function takeShare() {
  if (!mayReview) return;
  await outbox.idle();
  try {
    const hasSome = mode !== "share" && (await share.count()) > 0;
    const count = hasSome ? 0 : await share.take();
    if (mode !== "share") return location.assign(`/jobs/${job}/review/share`);
    if (!count) showDone("There is no sample left that is nobody's.");
    refresh();
  } catch (error) {
    showFailure(error.detail ?? "The service does not answer.", takeShare);
  }
}

function goOnWithShare() {
  const left = board.tiles.find((tile) => !tile.dataset.decision);
  if (!left) return takeShare();
  board.moveTo(left);
  say("This one is still to do. C takes more all the same.");
}

async function releaseShare() {
  if (!mayReview) return;
  await outbox.idle();
  try {
    const count = await share.release();
    showDone(count === 1 ? "1 sample given back." : `${count} samples given back.`);
    refresh();
  } catch (error) {
    showFailure(error.detail ?? "The service does not answer.", releaseShare);
  }
}

/** Go to the next of the pages of the review. */
async function goOn() {
  await outbox.idle();
  const tabs = [...document.querySelectorAll(".tabs a")];
  const here = tabs.findIndex((tab) => tab.ariaCurrent === "page");
  tabs[(here + 1) % tabs.length]?.click();
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
  "first-opinion": () => chooseClass(1),
  "second-opinion": () => chooseClass(2),
  claim: takeShare,
  release: releaseShare,
  "go-on": goOn,
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
  if (isBoard && event.target.closest(".tile")) openSample();
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
