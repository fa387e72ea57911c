/* Saves corrected cells of refused rows, with each mistake beside its field, and says what came of a replay. */
"use strict";

(() => {
  const EVERY = 700, OVER = ["SUCCESS", "FAILURE", "CANCELED"];

  async function asked(url, options) {
    const answer = await fetch(url, { headers: { Accept: "application/json" }, cache: "no-store", ...options });
    const said = await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.detail || said.title || "The server answered " + answer.status + ".");
    return said;
  }

  function say(form, text, bad) {
    const target = form.querySelector("[role=status]");
    target.replaceChildren(...[text].flat());
    target.classList.toggle("said-bad", Boolean(bad));
  }

  /* --- cells ------------------------------------------------------------------------------------------------- */

  const beside = (field) => document.getElementById(field.id + "-said");

  function mark(field, text) {
    beside(field).textContent = text;
    field.setAttribute("aria-invalid", "true");
  }

  document.addEventListener("input", (event) => {
    const field = event.target;
    if (field.closest && field.closest("[data-corrects]")) field.dataset.changed = "";
  });

  /* The changed cells of a form by column; null where a text that the browser cannot read stands in a field. */
  function cellsOf(fields) {
    const broken = fields.filter((field) => field.validity.badInput);
    broken.forEach((field) => mark(field, field.validationMessage));
    if (broken.length) return null;
    return Object.fromEntries(fields.map((field) => [field.name, field.value === "" ? null : field.value]));
  }

  /* Puts each line of an answer beside the field that it begins with, and returns the others. */
  function place(detail, fields) {
    const others = [];
    for (const line of detail.split("\n")) {
      const field = fields.find((one) => line.startsWith(one.name + ": "));
      if (field) mark(field, line.slice(field.name.length + 2)); else others.push(line);
    }
    return others;
  }

  async function save(form) {
    const all = [...form.elements].filter((one) => one.name), fields = all.filter((one) => one.dataset.changed !== undefined);
    all.forEach((field) => { beside(field).textContent = ""; });
    if (!fields.length) return say(form, "Change a cell first.", true);
    const cells = cellsOf(fields);
    if (cells === null) return say(form, "Nothing is saved.", true);
    say(form, "One moment …");
    try {
      const body = JSON.stringify({ rows: { [form.dataset.corrects]: cells } });
      await asked(form.dataset.url, { method: "POST", headers: { Accept: "application/json", "Content-Type": "application/json" }, body });
    } catch (error) {
      const others = place(error.message, fields), wrong = fields.find((field) => beside(field).textContent);
      if (wrong) wrong.focus();
      return say(form, ["Nothing is saved.", ...others].join(" "), true);
    }
    fields.forEach((field) => { delete field.dataset.changed; field.removeAttribute("aria-invalid"); });
    say(form, "Saved.");
    const details = form.closest("details");
    details.open = false;
    details.querySelector("summary").focus();
    document.dispatchEvent(new Event("dq:reload"));
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-corrects]")) return;
    event.preventDefault();
    save(event.target);
  });

  /* --- the workbook ------------------------------------------------------------------------------------------ */

  async function upload(form, dry) {
    const file = form.elements.file.files[0], list = form.querySelector(".problems"), buttons = form.querySelectorAll("button");
    list.replaceChildren();
    buttons.forEach((button) => { button.disabled = true; });
    say(form, "One moment …");
    try {
      const headers = { Accept: "application/json", "Content-Type": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" };
      const said = await asked(form.dataset.uploads + "?dry_run=" + dry, { method: "POST", headers, body: file });
      say(form, said.sentence + ".", said.refused > 0);
      for (const text of [...said.notes, ...said.problems]) {
        const item = document.createElement("li");
        item.textContent = text;
        list.append(item);
      }
      if (dry !== "true") document.dispatchEvent(new Event("dq:reload"));
    } catch (error) {
      say(form, error.message, true);
    } finally {
      buttons.forEach((button) => { button.disabled = false; });
    }
  }

  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-uploads]")) return;
    event.preventDefault();
    upload(event.target, event.submitter ? event.submitter.value : "true");
  });

  /* --- runs -------------------------------------------------------------------------------------------------- */

  function link(page, run) {
    const made = document.createElement("a");
    made.href = page.replace("{run}", encodeURIComponent(run));
    made.textContent = "Run " + run.slice(0, 8);
    return made;
  }

  /* What the run's log says of the table, such as `3 published, 1 refused still`. */
  async function outcome(url, table) {
    const lines = (await asked(url + "/logs?limit=1000")).items.map((one) => one.message);
    const found = lines.filter((line) => line.startsWith(table + ": ") && line.includes("published")).pop();
    return found ? found.slice(table.length + 2) : "";
  }

  document.addEventListener("dq:run", async (event) => {
    const button = event.target, { watch, page, table, reloads } = button.dataset, run = event.detail, url = watch + encodeURIComponent(run);
    const to = link(page, run), form = button.form;
    button.disabled = true;
    try {
      let status = "";
      while (!OVER.includes(status)) {
        status = (await asked(url)).status;
        say(form, [to, OVER.includes(status) ? " has ended." : " is " + status.toLowerCase().replace("_", " ") + " …"]);
        if (!OVER.includes(status)) await new Promise((done) => setTimeout(done, EVERY));
      }
      const said = status === "SUCCESS" ? await outcome(url, table) : "";
      say(form, [to, status === "SUCCESS" ? ": " + (said || "done") + "." : " has " + (status === "FAILURE" ? "failed" : "been cancelled") + "."], status !== "SUCCESS");
      if (reloads !== undefined) {
        document.querySelectorAll("input[data-tick]:checked").forEach((box) => { box.checked = false; });
        document.dispatchEvent(new Event("dq:reload"));
      }
    } catch (error) {
      say(form, [to, ": " + error.message], true);
    } finally {
      button.disabled = false;
    }
  });
})();
