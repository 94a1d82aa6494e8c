// The back-test of a draft: started, followed, cancelled. The job's id is kept with the draft, so that a
// page that is loaded again goes on showing it.
import { call, clock, filterWords, parameters, Trouble, utc } from "yieldline";
import { onUnmounted, shallowReactive, watch } from "vue";
import { keep, keyOf, seal } from "./drafts.js";

const ASK_MS = 400;
const AWAY_MS = 2000;

export function backtesting(desk) {
  // job: as the server tells it, null while there is none. trouble: a sentence.
  const state = shallowReactive({ job: null, trouble: "", isStarting: false, start, cancel, follow });
  let timer = 0;
  let following = "";

  const kept = () => desk.draft?.tested ?? null;

  async function start() {
    const { draft } = desk;
    if (!draft || state.isStarting) return;
    const given = { ...parameters(), until: parameters().until ?? utc(clock.now) };
    seal(draft);
    Object.assign(state, { isStarting: true, trouble: "" });
    try {
      const job = await call("/api/v1/rulebooks/backtest", { method: "POST", body: { toml: draft.toml, ...given } });
      draft.tested = { jobId: job.job_id, key: keyOf(draft.toml), edit: draft.edits, words: filterWords(), given };
      keep(draft);
      state.job = job;
      follow();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      state.trouble = error.message;
    } finally {
      state.isStarting = false;
    }
  }

  function follow() {
    clearTimeout(timer);
    const tested = kept();
    following = tested?.jobId ?? "";
    if (!tested) return void Object.assign(state, { job: null, trouble: "" });
    if (state.job?.job_id !== tested.jobId) state.job = null;
    void look(tested.jobId);
  }

  async function look(jobId) {
    let again = ASK_MS;
    try {
      const job = await call(`/api/v1/jobs/${jobId}`);
      if (following !== jobId) return;
      Object.assign(state, { job: Object.freeze(job), trouble: "" });
      if (job.state !== "running") return;
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      if (following !== jobId) return;
      if (error.status === 404) return void forget();
      state.trouble = error.message;
      again = AWAY_MS;
    }
    timer = setTimeout(() => look(jobId), again);
  }

  function forget() {
    desk.draft.tested = null;
    keep(desk.draft);
    Object.assign(state, { job: null, trouble: "The web app does not know this back-test any more: it keeps a few, for an hour, and none when it is started again. Run it again." });
  }

  async function cancel() {
    try {
      state.job = Object.freeze(await call(`/api/v1/jobs/${following}`, { method: "DELETE" }));
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      state.trouble = error.message;
    }
  }

  watch(() => kept()?.jobId ?? "", follow, { immediate: true });
  onUnmounted(() => {
    following = "";
    clearTimeout(timer);
  });
  return state;
}

export const isOfThis = (draft) => draft?.tested?.key === keyOf(draft?.toml ?? "");
export const isTested = (desk) => isOfThis(desk.draft) && desk.test.job?.state === "done";
