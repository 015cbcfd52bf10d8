// The pages of a review, by their mode: everything (`queue`), what is one's own (`share`), where
// reviewers differ (`differences`), one `sample`. From keys and buttons to what they do.
import { call } from "./api.js";
import { showDone, showFailure } from "./toast.js";
import { Board } from "./review/board.js";
import { Bulk } from "./review/bulk.js";
import { ClassKeys } from "./review/class_keys.js";
import { Classes } from "./review/classes.js";
import { Complaint } from "./review/complaint.js";
import { Conflicts } from "./review/conflict.js";
import { Decisions } from "./review/decisions.js";
import { Ending } from "./review/ending.js";
import { listenToKeys } from "./review/keys.js";
import { Outbox } from "./review/outbox.js";
import { Pager } from "./review/pager.js";
import { Picker } from "./review/picker.js";
import { Records } from "./review/records.js";
import { Neighbours } from "./review/samples.js";
import { Share } from "./review/share.js";
import { Shelf } from "./review/shelf.js";
import { Tally } from "./review/tally.js";
import { show, tileOf } from "./review/tiles.js";
import { relabelTo, valueOf, words } from "./review/values.js";
import { View } from "./review/view.js";

const root = document.getElementById("review");
const { job, dataset, search, tenant, key, mode, shows } = root.dataset;
const mayReview = root.dataset.mayReview === "yes";
const isBoard = mode !== "sample";
const placeKey = `labelaudit-place-${job}-${mode}-${search}`;

const records = new Records();
const board = new Board(root, moved);
const view = new View(board);
const ending = new Ending(root);
const pager = isBoard ? new Pager(board, shown) : new Neighbours();

const shelf = new Shelf(`${tenant}-${key}-${job}`);
const outbox = new Outbox(shelf, {
  onChange: () => {
    tally.show();
    complaint.update();
    if (!outbox.count && !isBoard) refresh();
  },
  onTrouble: () => complaint.raise(),
});
const tally = new Tally(job, outbox);
const complaint = new Complaint(outbox);
const events = {
  changed: (record) => {
    const tile = tileOf(record.id);
    if (tile) show(tile, record);
    if (mode === "share") share.show(board.tiles);
  },
  saved: (count) => tally.add(count),
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
  onReady: () => showKeys(board.current),
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
  ending.hide();
  document.getElementById("said").classList.add("visually-hidden"); // a hint is of another tile
  showKeys(tile);
  if (!tile) return;
  view.enlarge(tile);
  sessionStorage.setItem(placeKey, tile.dataset.sample);
}

function showKeys(tile) {
  const record = tile && records.get(tile.dataset.sample);
  classKeys.show(record);
  root.classList.toggle("has-no-suggestion", Boolean(record) && !record.suggested);
}

/** Whether a sample is to do: in a list of decided ones, what was decided before is to do again. */
function isToDo(tile) {
  return shows === "decided" ? !records.get(tile.dataset.sample).isDone : !tile.dataset.decision;
}

/** Whether there is something to decide on; where a decision would be the second one, say so. */
function isReady() {
  if (!mayReview || !board.targets.length) return false;
  if (board.selected.length || board.isChosen || isToDo(board.current)) return true;
  if (ending.isShown) say("This is the end: the key decides nothing.", { isHint: true });
  else if (pager.isTurning) say("The next page is on its way.", { isHint: true });
  else if (!isBoard) say("You have decided: N goes on, Z takes it back.", { isHint: true });
  else say("All of this page is decided: N shows the next one.", { isHint: true });
  return false;
}

/** Decide on the current sample or the selected ones, and go on to the next that is to do. */
function decide(choose) {
  if (!isReady()) return;
  const targets = board.targets;
  decisions.decide(
    targets.map((tile) => tile.dataset.sample),
    choose,
  );
  board.selectNone();
  const done = words(records.get(targets[0].dataset.sample).value);
  say(`${targets.length > 1 ? `${targets.length} samples: ` : ""}${done}.`);
  advance(targets.at(-1));
}

/** Go on to the next sample that is to do, on this page or on the next one. */
function advance(from) {
  const next = board.tiles.slice(board.indexOf(from) + 1).find(isToDo);
  board.moveTo(next ?? from);
  if (next || !isBoard) return;
  // Whoever goes elsewhere before the next page is there wants to stay.
  if (pager.hasNext) turn(1, () => board.current === from && !board.isChosen);
  else end();
}

/** Go on where an earlier page has decided on the sample that this one began with. */
function leaveDecided() {
  const { current, isChosen } = board;
  if (shows !== "open" || !current || isChosen || isToDo(current)) return;
  const first = board.tiles.find(isToDo);
  if (first) board.moveTo(first);
  else advance(current);
}

function end() {
  if (mode !== "share") return ending.show("You reached the end.", "", whatIsLeft());
  const left = share.show(board.tiles);
  const is = left === 1 ? "is" : "are";
  if (left) ending.show(`${left} of your share ${is} still to do.`, "N goes to the first.");
  else ending.show("Your share is done.", "N takes the next samples.");
}

/** Look, once all is saved, whether samples were skipped on the way to the end. */
async function whatIsLeft() {
  await outbox.idle();
  if (mode !== "queue" || shows !== "open") return undefined;
  const start = document.getElementById("ending-start").href;
  const { count, hasMore } = await pager.look(start).catch(() => ({}));
  if (count === undefined) return undefined;
  if (!count) return { title: "You reached the end.", text: "Nothing is left to do here." };
  const left = count === 1 ? "1 sample before this place is" : `${count} samples before this place are`;
  const text = `${hasMore ? "More than " : ""}${left} still to do.`;
  return { title: "You reached the end.", text, canGoBack: true };
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
  const isTorn = board.targets.length > 1 && board.targets.some((tile) => tile.dataset.torn);
  // To accept what is suggested for both labels of one picture would only swap them.
  if (digit === 1 && isTorn) say("Certain conflicts: press / and choose the class.", { isHint: true });
  else if (digit === 1 && isBlind) say("No suggestion is shown here.");
  else if (digit === 1) decide(({ suggested, given }) => relabelTo(suggested, given));
  else if (digit === 2) decide(() => valueOf({ decision: "keep" }));
  else if (label !== undefined) decide(({ given }) => relabelTo(label, given));
}

async function reverted(kind, ids, count) {
  tally.add(kind === "undo" ? -count : count);
  ids.forEach((id) => events.changed(records.get(id) ?? { id, value: valueOf({}) }));
  const isHere = await bring(ids);
  const samples = count === 1 ? "1 sample" : `${count.toLocaleString("en")} samples`;
  const where = isHere ? "" : ", not on this page";
  showDone(`${kind === "undo" ? "Undone" : "Done again"}: ${samples}${where}`);
  const tile = tileOf(ids.find(tileOf));
  if (!tile || document.querySelector("dialog[open]")) return;
  if (kind === "undo") board.moveTo(tile, { isChosen: true });
  else advance(tile);
}

/** Show the page of these samples: one that was seen, or this one anew. Returns whether it has one. */
async function bring(ids) {
  if (!ids.some(tileOf) && !pager.showPageOf(ids)) await refresh();
  return ids.some(tileOf);
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
  return pager.refresh().catch(() => showFailure("The page could not be fetched.", refresh));
}

/** Take in the page that is shown now. */
function shown({ place } = {}) {
  records.bind(board.tiles);
  for (const tile of board.tiles) show(tile, records.get(tile.dataset.sample));
  if (mode === "share") share.show(board.tiles);
  view.apply();
  const known = board.tiles.find((tile) => tile.dataset.sample === place);
  // Who opens a sample wants that one, whatever is decided on it.
  board.moveTo(known ?? board.tiles.find(isToDo) ?? board.tiles[0], { isChosen: !isBoard });
  if (!board.tiles.length) moved(undefined);
}

async function turn(delta, isWanted) {
  if (mode === "share" && delta > 0) return goOnWithShare();
  if (!isBoard) await outbox.idle();
  try {
    const isThere = delta > 0 ? await pager.next(isWanted) : pager.previous();
    if (isThere && delta < 0) board.moveTo(board.tiles.at(-1), { isChosen: true });
    const which = delta > 0 ? "last" : "first";
    if (!isThere) say(`This is the ${which} ${isBoard ? "page" : "sample"}.`, { isHint: true });
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
  board.moveTo(left, { isChosen: true });
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

/** Say something to those who listen; a hint is for everybody's eyes too. */
function say(text, { isHint = false } = {}) {
  const said = document.getElementById("said");
  said.textContent = text;
  said.classList.toggle("visually-hidden", !isHint);
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
  exclude: () => isReady() && reasons.showModal(),
  "class-key": (digit) => chooseClass(Number(digit)),
  "pick-class": () => isReady() && picker.open(),
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
  first: () => board.moveTo(board.tiles[0], { isChosen: true }),
  last: () => board.moveTo(board.tiles.at(-1), { isChosen: true }),
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

// Where a link leads shows what is saved: it waits for that, unless nothing can be saved now.
root.addEventListener("click", async (event) => {
  const link = event.target.closest("a[href]");
  const opensHere = !event.ctrlKey && !event.metaKey && !event.shiftKey;
  if (!link || !opensHere || !outbox.count || outbox.trouble) return;
  event.preventDefault();
  await outbox.idle();
  link.click();
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
outbox.takeOver((kept) => decisions.resume(kept), leaveDecided);
