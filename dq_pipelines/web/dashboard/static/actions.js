/* Buttons and forms that act through the REST API. The server checks every right; what it answers is said beside the button.

   An element with `data-act` is a button: its `data-url` is posted to (`data-method` for another verb), with the JSON of
   `data-body`. Within a form, `{name}` in the address and `"{name}"` in the body stand for the fields of the form, and a
   member whose field is empty is left out, unless the button has `data-keeps-empty`; `{name,}` is a list with commas, and
   `"{ticked}"` stands for the values of the ticked rows, unless the field `which` says otherwise. `data-wants` names a field that
   must be filled in, `data-counts` says what the answer's rows are now, `data-tell` names a member of the answer that is said
   once, such as a new key: then no other page follows. `data-if-match` is the mark of what is changed. With `data-stays` the page is not read again. Of a run that the answer names, `data-watch` leaves the rest to others (the event dq:run). `data-go`
   is the page that follows: `{run}` and `{name}` stand for the answer's. */
"use strict";

(() => {
  /* Where the answer is said: the nearest status around the button. */
  function status(button) {
    let around = button.parentElement;
    while (around && !around.querySelector("[role=status]")) around = around.parentElement;
    return around && around.querySelector("[role=status]");
  }

  function say(button, text, bad) {
    const target = status(button);
    if (!target) return;
    target.textContent = text;
    target.classList.toggle("said-bad", Boolean(bad));
  }

  const ticked = () => [...document.querySelectorAll("input[data-tick]:checked")];

  /* What keeps the button from acting: nothing is ticked, or a field is empty. "" for nothing. */
  function missing(button) {
    const fields = fieldsOf(button), wants = button.dataset.wants;
    if ((button.dataset.body || "").includes('"{ticked}"') && fields.ticked && !fields.ticked.length) return "Tick a row first.";
    if (wants && !fields[wants].trim()) {
      button.form.elements[wants].focus();
      return "Say why first.";
    }
    return "";
  }

  /* The fields of the button's form; `name` is the table without its layer. */
  function fieldsOf(button) {
    const fields = Object.fromEntries(button.form ? new FormData(button.form) : []);
    if (fields.which !== "filter") fields.ticked = ticked().map((box) => box.value);
    if (fields.first !== undefined) fields.partition = fields.first.trim() + (fields.last.trim() ? "..." + fields.last.trim() : "");
    return fields.table ? { partition: "", name: fields.table.split("/").pop(), ...fields } : fields;
  }

  /* The body with the fields filled in. */
  function filled(body, fields, keepsEmpty) {
    const values = Object.entries(body).map(([name, value]) => {
      const found = typeof value === "string" && value.match(/^\{(\w+)(,?)\}$/);
      if (!found) return [name, value];
      const given = fields[found[1]];
      return [name, found[2] ? given.split(",").map((one) => one.trim()).filter(Boolean) : given];
    });
    return Object.fromEntries(values.filter(([, value]) => (keepsEmpty || value !== "") && value !== undefined));
  }

  async function answerOf(button) {
    const fields = fieldsOf(button);
    const url = button.dataset.url.replace(/\{(\w+)\}/g, (_, name) => encodeURIComponent(fields[name] || ""));
    const options = { method: button.dataset.method || "POST", headers: { Accept: "application/json" } };
    if (button.dataset.ifMatch) options.headers["If-Match"] = '"' + button.dataset.ifMatch + '"';
    if (button.dataset.body) {
      options.headers["Content-Type"] = "application/json";
      options.body = JSON.stringify(filled(JSON.parse(button.dataset.body), fields, button.dataset.keepsEmpty !== undefined));
    }
    const answer = await fetch(url, options);
    const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (!answer.ok) throw new Error(said.detail || said.title || "The server answered " + answer.status + ".");
    const wrong = (said.items || []).filter((one) => ["refused", "failed"].includes(one.became));
    if (wrong.length) throw new Error(wrong.map((one) => one.name + ": " + one.said).join(" "));
    return said;
  }

  /* A button that copies what is shown only now, such as a new key. */
  function offerCopy(button, text) {
    const copy = document.createElement("button"), target = status(button);
    copy.type = "button";
    copy.textContent = "Copy";
    copy.addEventListener("click", () => navigator.clipboard.writeText(text).then(() => { copy.textContent = "Copied"; }, () => { copy.textContent = "Select it, and copy by hand"; }));
    if (target && navigator.clipboard) target.append(" ", copy);
  }

  /* A refusal in the words of the form: `body.grants` is the field with the label Roles. */
  function inWords(button, text) {
    return text.replace(/\bbody\.(\w+)(\.\d+)?/g, (_, name) => {
      const field = button.form && button.form.elements[name], label = field && field.labels && field.labels[0];
      return label ? label.firstChild.textContent.trim() : name;
    });
  }

  const reload = () => document.dispatchEvent(new Event("dq:reload"));

  async function act(button) {
    if (button.form && !button.form.reportValidity()) return;
    if (missing(button)) {
      say(button, missing(button), true);
      return;
    }
    if (button.dataset.confirm && !window.confirm(button.dataset.confirm)) return;
    button.disabled = true;
    say(button, button.dataset.doing || "One moment …");
    try {
      const said = await answerOf(button);
      const run = said.run_id || said.id, told = button.dataset.tell && said[button.dataset.tell];
      if (button.dataset.go && !told) {
        location.assign(button.dataset.go.replace("{run}", encodeURIComponent(run || "")).replace("{name}", encodeURIComponent(said.name || "")));
        return;
      }
      if (button.dataset.watch) {
        button.disabled = false;
        button.dispatchEvent(new CustomEvent("dq:run", { bubbles: true, detail: run }));
        return;
      }
      if (button.dataset.counts) ticked().forEach((box) => { box.checked = false; });
      const counted = button.dataset.counts && said.rows + (said.rows === 1 ? " row is " : " rows are ") + button.dataset.counts + ".";
      if (button.dataset.ifMatch && said.etag) button.dataset.ifMatch = said.etag.replaceAll('"', "");
      say(button, (counted || button.dataset.done || "Done.") + (told ? (told.includes("\n") ? "\n" : " ") + told : ""));
      if (told && button.dataset.copies !== undefined) offerCopy(button, told);
      button.disabled = false;
      button.dispatchEvent(new CustomEvent("dq:done", { bubbles: true, detail: said }));
      if (button.dataset.stays === undefined) reload();
    } catch (error) {
      say(button, inWords(button, error.message), true);
      button.disabled = false;
    }
  }

  /* One action for every ticked row of a list: its buttons are those in the rows. */
  async function actOnTicked(button) {
    const boxes = ticked();
    if (!boxes.length) {
      say(button, "Tick a row first.", true);
      return;
    }
    button.disabled = true;
    const wrong = [];
    for (const box of boxes) {
      const own = box.closest("tr").querySelector('[data-act="' + button.dataset.ticked + '"]');
      if (own) await answerOf(own).catch((error) => wrong.push(error.message));
    }
    button.disabled = false;
    say(button, wrong.length ? wrong.join(" ") : button.dataset.done || "Done.", wrong.length > 0);
    reload();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.act !== undefined) {
      event.preventDefault();
      act(button);
    } else if (button.dataset.ticked !== undefined) {
      event.preventDefault();
      actOnTicked(button);
    }
  });

  document.addEventListener("change", (event) => {
    const all = event.target.closest("input[data-tick-all]");
    if (all) document.querySelectorAll("input[data-tick]:not(:disabled)").forEach((box) => { box.checked = all.checked; });
    /* A choice that only some options need, as the partition of a partitioned table. */
    const select = event.target.closest("select[data-shows]");
    if (select) show(select);
  });

  function show(select) {
    const target = document.getElementById(select.dataset.shows), option = select.selectedOptions[0];
    if (!target || !option) return;
    target.hidden = target.disabled = option.dataset.shown === undefined;
    target.querySelectorAll("input").forEach((field) => { field.value = ""; });
    if (!target.hidden) offer(target.querySelector("[data-partitions]"), select.value);
  }

  /* The newest partitions of a table, for whoever does not want to type one. */
  async function offer(field, table) {
    const answer = await fetch(field.dataset.partitions + table.split("/").map(encodeURIComponent).join("/"), { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer || !answer.ok || !field.list) return;
    const found = (await answer.json()).partitions;
    field.list.replaceChildren(...found.map((name) => new Option(name, name)));
    field.placeholder = found[0] || "";
  }

  /* The key / leads to the search, unless something is being typed. */
  document.addEventListener("keydown", (event) => {
    const field = document.querySelector(".dq-search input");
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    field.select();
  });

  document.querySelectorAll("select[data-shows]").forEach(show);
  document.querySelectorAll("[data-partitions][data-of]").forEach((field) => offer(field, field.dataset.of));
  document.querySelectorAll("[data-needs-script]").forEach((element) => { element.hidden = false; });
})();
