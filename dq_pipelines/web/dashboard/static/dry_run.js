/* Forms whose action follows a dry run: the action's button is off until a dry run of the same fields says that something would change. */
"use strict";

document.querySelectorAll("form.dry-run").forEach((form) => {
  const followers = [...form.querySelectorAll("[data-after-dry-run]")];
  const allow = (allowed) => followers.forEach((button) => { button.disabled = !allowed; });
  form.addEventListener("dq:done", (event) => { if (event.target.closest("[data-dry-run]")) allow(event.detail.changes); });
  form.addEventListener("input", (event) => { if (event.target.dataset.noChange === undefined) allow(false); });
  /* Enter in a field tries, and neither sends the form nor acts. */
  form.addEventListener("submit", (event) => { event.preventDefault(); form.querySelector("[data-dry-run]").click(); });
  allow(false);
});
