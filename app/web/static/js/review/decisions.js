// What a reviewer decides: shown at once, sent in order, taken back where the service refuses it.
import { call } from "../api.js";
import { sameValue, toSend, valueOf } from "./values.js";

/**
 * Decisions of one job's data set.
 *
 * `events` hears of what happens: `changed(record)`, `saved(count)`, `refused(error, retry)`,
 * `conflict(record, mine)`, `reverted(kind, ids, count)`.
 */
export class Decisions {
  constructor({ records, outbox, dataset, job, key, resolves, events }) {
    Object.assign(this, { records, outbox, job, key, resolves, events });
    this.url = `/v1/datasets/${dataset}/decisions`;
    this.steps = []; // own steps since the page was loaded, for undo
    this.undone = [];
  }

  /** Decide on samples; `choose(record)` returns the value for each. One call is one step of the log. */
  decide(ids, choose) {
    const wanted = ids.map((id) => this.#want(this.records.get(id), choose));
    // What settles a difference is said of each sample by itself.
    if (this.resolves) wanted.forEach((each) => this.outbox.add(this.#one(each)));
    else this.outbox.add(wanted.length === 1 ? this.#one(wanted[0]) : this.#many(wanted));
  }

  /** Make tasks for the outbox of what an earlier page has kept of its own. */
  resume(kept) {
    return kept.map(({ kind, samples, versions, resolves, ...state }) => {
      if (kind !== "decide") return this.#revert(kind, state);
      const wanted = samples.map(({ id, version, given, value }) =>
        this.#want(this.records.recall(id, version, given), () => value),
      );
      return versions ? this.#many(wanted, versions) : this.#one(wanted[0], { ...state, resolves });
    });
  }

  #want(record, choose) {
    const value = choose(record);
    record.value = value;
    record.isDone = true;
    record.pending += 1;
    this.events.changed(record);
    return { record, value, round: record.round };
  }

  #one(wanted, { version, resolves = this.resolves } = {}) {
    const { record, value, round } = wanted;
    const send = async () => {
      if (round !== record.round) return this.#settle([wanted]); // overtaken by a conflict
      version ??= record.version; // the same on each try: a second one changes nothing twice
      const body = { ...toSend(value), job_id: this.job, ...(resolves && { resolves: true }) };
      const url = `/v1/samples/${record.id}/decision`;
      const reply = await call("PUT", url, { body, version, keepalive: true });
      this.steps.push(reply.step_id);
      this.#settle([wanted], reply.version, valueOf(reply));
      this.events.saved(1);
    };
    const refused = (problem) => {
      if (problem.code !== "version_conflict") return this.#takeBack([wanted], problem);
      const theirs = valueOf(problem.in_force);
      // Our own decision whose answer was lost, or another reviewer's equal one: nothing to ask.
      const isSame = sameValue(theirs, value);
      if (isSame) this.steps.push(undefined);
      const mine = record.value;
      if (!isSame) record.round += 1;
      this.#settle([wanted], problem.version, theirs, !isSame);
      if (isSame) this.events.saved(1);
      else this.events.conflict(record, mine);
    };
    const toJSON = () => ({ kind: "decide", samples: [kept(wanted)], version, resolves });
    return { send, refused, numDecided: 1, toJSON };
  }

  #many(wanted, versions = []) {
    const send = async () => {
      wanted = this.#current(wanted);
      if (!wanted.length) return;
      if (!versions.length) {
        versions = wanted.map(({ record }) => ({ sample_id: record.id, version: record.version }));
      }
      const body = { ...common(wanted), job_id: this.job, samples: versions };
      const reply = await call("POST", this.url, { body });
      this.steps.push(reply.step.step_id);
      for (const each of wanted) this.#settle([each], each.record.version + 1, each.value);
      this.events.saved(wanted.length);
    };
    const refused = async (problem) => {
      if (problem.code !== "version_conflict") return this.#takeBack(wanted, problem);
      await this.#look(problem.conflicts.map((each) => each.sample_id));
      const isOurs = wanted.every(({ record, value }) => sameValue(record.saved, value));
      if (isOurs) {
        this.steps.push(undefined);
        this.events.saved(wanted.length);
        return this.#settle(wanted);
      }
      const changed = new Set(problem.conflicts.map((each) => each.sample_id));
      const others = wanted.filter(({ record }) => !changed.has(record.id));
      const values = new Map(others.map(({ record, value }) => [record.id, value]));
      const decideOthers = () => this.decide([...values.keys()], ({ id }) => values.get(id));
      this.#takeBack(wanted, problem, others.length ? decideOthers : undefined);
    };
    const toJSON = () => ({ kind: "decide", samples: wanted.map(kept), versions });
    return { send, refused, numDecided: wanted.length, toJSON };
  }

  /** Leave out what a conflict has overtaken. */
  #current(wanted) {
    const isCurrent = ({ record, round }) => record.round === round;
    this.#settle(wanted.filter((each) => !isCurrent(each)));
    return wanted.filter(isCurrent);
  }

  /** Ask how samples stand now. */
  async #look(ids) {
    for (const id of ids) {
      const sample = await call("GET", `/v1/samples/${id}`);
      const { decision, decided_label: label, exclusion: reason } = sample;
      this.records.learn(id, sample.version, valueOf({ decision, label, reason }));
    }
  }

  /** One decision is answered; without a later one on its way, show what is in force. */
  #settle(wanted, version, value, isForced = false) {
    for (const { record } of wanted) {
      record.pending -= 1;
      if (version !== undefined) this.records.learn(record.id, version, value);
      if (!record.pending || isForced) record.value = record.saved;
      this.events.changed(record);
    }
  }

  #takeBack(wanted, problem, retry) {
    for (const { record } of wanted) record.isDone = false;
    this.#settle(wanted);
    this.events.refused(problem, retry);
  }

  undo() {
    this.outbox.add(this.#revert("undo"));
  }

  redo() {
    this.outbox.add(this.#revert("redo"));
  }

  /** Take the last own step: of this page, or else of those that the service knows. */
  #revert(kind, { target } = {}) {
    const isUndo = kind === "undo";
    const [from, to] = isUndo ? [this.steps, this.undone] : [this.undone, this.steps];
    let isSecondTry = target !== undefined; // an earlier page has sent it, perhaps
    let step;
    const send = async () => {
      // Named by its number, so that a second try after a lost answer reverts nothing twice.
      target ??= from.at(-1) ?? (await this.#lastOwn(kind));
      this.outbox.keep();
      const body = target === undefined ? { mine: true } : { step_id: target };
      try {
        step ??= await call("POST", `${this.url}/${kind}`, { body });
      } catch (error) {
        if (error.code !== "step_state" || !isSecondTry) throw error;
        step = { target_step_id: target };
      } finally {
        isSecondTry = true;
      }
      await this.#show(kind, step);
      from.pop();
      to.push(step.target_step_id);
    };
    const refused = (problem) => {
      if (problem.code === "step_state") from.pop();
      this.events.refused(problem);
    };
    return { send, refused, numDecided: 0, toJSON: () => ({ kind, target }) };
  }

  async #lastOwn(kind) {
    const { items } = await call("GET", `${this.url}/steps?limit=500`);
    const undone = new Set(items.filter((step) => step.undone).map((step) => step.step_id));
    const own = items.filter((step) => (step.key_id ?? "") === this.key);
    if (kind === "undo") {
      return own.find((step) => step.kind === "decide" && !step.undone)?.step_id;
    }
    return own.find((step) => step.kind === "undo" && undone.has(step.target_step_id))
      ?.target_step_id;
  }

  async #show(kind, step) {
    const query = step.step_id ? `step_id=${step.step_id}` : `step_id=${step.target_step_id}`;
    const { items } = await call("GET", `${this.url}?${query}&limit=500`);
    if (!step.step_id) await this.#look(items.map((each) => each.sample_id));
    for (const entry of items) {
      // Below a second opinion lies the first one, which is not shown.
      const isHidden = kind === "undo" && this.records.get(entry.sample_id)?.isSecond;
      const record = this.records.learn(
        entry.sample_id,
        entry.version,
        valueOf(isHidden ? {} : entry.to),
      );
      if (record) record.isDone = kind === "redo";
    }
    this.events.reverted(
      kind,
      items.map((each) => each.sample_id),
      step.num_samples ?? items.length,
    );
  }
}

/** What all samples of a step share: one value, one class, or each its own suggestion. */
function common(wanted) {
  const [first] = wanted;
  if (wanted.every(({ value }) => sameValue(value, first.value))) return toSend(first.value);
  // Of those that are given one class, whoever has it already keeps it, as the service sees it too.
  const labels = new Set(wanted.map(({ record, value }) => value.label ?? record.given));
  if (labels.size === 1) return { decision: "relabel", label: first.value.label ?? first.record.given };
  return { decision: "relabel", accept_suggestion: true };
}

/** What is kept of a decision that is not saved yet: it was made on the sample as it stands. */
function kept({ record, value }) {
  return { id: record.id, version: record.version, given: record.given, value };
}
