// The page of a job: its buttons, its chart and its exports. The page is replaced in parts while
// the job runs, so events are listened to on the document.
import { call } from "./api.js";
import { watchExports } from "./export.js";
import "./loss-chart.js";
import { showFailure } from "./toast.js";

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-job-action], [data-audits]");
  if (button) act(button);
});
watchExports();

async function act(button) {
  button.disabled = true;
  try {
    const { jobAction, audits } = button.dataset;
    if (jobAction) await call("POST", jobAction);
    const job = audits && (await call("POST", "/v1/jobs", { body: { dataset_id: audits } }));
    location.assign(job ? `/jobs/${job.job_id}` : location.pathname);
  } catch (problem) {
    button.disabled = false;
    showFailure(problem.status ? problem.message : "The service does not answer.", () => act(button));
  }
}
