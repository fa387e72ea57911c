/* The trial of a pipeline's text on its newest landed file. Every text is a text, never markup. */
"use strict";

(() => {
  const button = document.getElementById("try-newest"), area = document.getElementById("yaml");
  if (!button || !area) return;
  const { trial, count } = window.dqUploadViews, shown = document.getElementById("trial"), said = document.getElementById("trial-said");

  function say(text, bad) {
    said.textContent = text;
    said.classList.toggle("said-bad", Boolean(bad));
  }

  async function tried() {
    const headers = { Accept: "application/json", "Content-Type": "application/json" };
    const answer = await fetch(button.dataset.url, { method: "POST", headers, cache: "no-store", body: JSON.stringify({ yaml: area.value }) }).catch(() => { throw new Error("The server does not answer."); });
    const told = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(told.detail || told.title || "The server answered " + answer.status + ".");
    return told;
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    shown.replaceChildren();
    say("Judging the rows …");
    try {
      const told = await tried();
      shown.replaceChildren(...trial(told));
      say(told.file + ": " + count(told.published) + " of " + count(told.rows_in) + " rows would be published, " + count(told.refused) + " refused.");
    } catch (error) {
      say(error.message, true);
    } finally {
      button.disabled = false;
    }
  });
  area.addEventListener("input", () => { if (shown.childElementCount) say("The text has changed since this trial."); });
})();
