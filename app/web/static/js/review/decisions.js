// What a reviewer decides: shown at once, sent in order, taken back where the service refuses it.
import { call } from "../api.js";
import { sameValue, toSend, valueOf } from "./values.js";

/**
 * Decisions of one job's data set.
 *
 * `events` hears of what happens: `changed(record)`, `decided(count)`, `refused(error, retry)`,
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
    const wanted = ids.map((id) => {
      const record = this.records.get(id);
      return { record, value: choose(record), round: record.round };
    });
    for (const { record, value } of wanted) {
      record.value = value;
      record.isDone = true;
      record.pending += 1;
      this.events.changed(record);
    }
    this.events.decided(wanted.length);
    // What settles a difference is said of each sample by itself.
    if (this.resolves) wanted.forEach((each) => this.outbox.add(this.#one(each)));
    else this.outbox.add(wanted.length === 1 ? this.#one(wanted[0]) : this.#many(wanted, choose));
  }

  #one(wanted) {
    const { record, value, round } = wanted;
    let version;
    const send = async () => {
      if (round !== record.round) return this.#settle([wanted]); // overtaken by a conflict
      version ??= record.version; // the same on each try: a second one changes nothing twice
      const body = { ...toSend(value), job_id: this.job, ...(this.resolves && { resolves: true }) };
      const url = `/v1/samples/${record.id}/decision`;
      const reply = await call("PUT", url, { body, version, keepalive: true });
      this.steps.push(reply.step_id);
      this.#settle([wanted], reply.version, valueOf(reply));
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
      if (!isSame) this.events.conflict(record, mine);
    };
    return { send, refused };
  }

  #many(wanted, choose) {
    let versions;
    const send = async () => {
      wanted = this.#current(wanted);
      if (!wanted.length) return;
      versions ??= wanted.map(({ record }) => ({ sample_id: record.id, version: record.version }));
      const body = { ...common(wanted), job_id: this.job, samples: versions };
      const reply = await call("POST", this.url, { body });
      this.steps.push(reply.step.step_id);
      for (const each of wanted) this.#settle([each], each.record.version + 1, each.value);
    };
    const refused = async (problem) => {
      if (problem.code !== "version_conflict") return this.#takeBack(wanted, problem);
      await this.#look(problem.conflicts.map((each) => each.sample_id));
      const isOurs = wanted.every(({ record, value }) => sameValue(record.saved, value));
      if (isOurs) {
        this.steps.push(undefined);
        return this.#settle(wanted);
      }
      const changed = new Set(problem.conflicts.map((each) => each.sample_id));
      const others = wanted.map(({ record }) => record.id).filter((id) => !changed.has(id));
      this.#takeBack(wanted, problem, others.length ? () => this.decide(others, choose) : undefined);
    };
    return { send, refused };
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
    this.#revert("undo", this.steps, this.undone);
  }

  redo() {
    this.#revert("redo", this.undone, this.steps);
  }

  /** Take the last own step: of this page, or else of those that the service knows. */
  #revert(kind, from, to) {
    let target;
    let step;
    let isSecondTry = false;
    const send = async () => {
      // Named by its number, so that a second try after a lost answer reverts nothing twice.
      target ??= from.at(-1) ?? (await this.#lastOwn(kind));
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
    this.outbox.add({ send, refused });
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

/** What all samples of a step share: one value, or each its own suggestion. */
function common(wanted) {
  const [first] = wanted;
  if (wanted.every(({ value }) => sameValue(value, first.value))) return toSend(first.value);
  return { decision: "relabel", accept_suggestion: true };
}
