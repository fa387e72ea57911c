/* The page of a new pipeline: sends a file, shows what it holds, suggests a YAML, tries it on the file, saves and runs it. */
"use strict";

(() => {
  const form = document.getElementById("new");
  if (!form) return;
  const { make, firstRows, profile, profileSaid, trial, count } = window.dqUploadViews;
  const api = form.dataset.api, most = Number(form.dataset.most), byId = (id) => document.getElementById(id);
  const area = byId("yaml"), field = (name) => form.elements[name];
  let upload = null, found = null, asking = 0;

  async function asked(path, body, method) {
    const options = { method: method || "POST", headers: { Accept: "application/json" }, cache: "no-store" };
    if (body !== undefined) Object.assign(options, { body: JSON.stringify(body), headers: { ...options.headers, "Content-Type": "application/json" } });
    const answer = await fetch(api + path, options).catch(() => { throw new Error("The server does not answer."); });
    const said = answer.status === 204 ? {} : await answer.json().catch(() => ({}));
    if (!answer.ok) throw Object.assign(new Error(said.detail || said.title || "The server answered " + answer.status + "."), { status: answer.status });
    return said;
  }

  function say(id, text, bad) {
    byId(id).textContent = text;
    byId(id).classList.toggle("said-bad", Boolean(bad));
  }

  const show = (step, shown) => { byId("step-" + step).hidden = !shown; };
  const STEPS = ["table", "profile", "yaml", "trial", "save"];

  /* --- 1: the file ------------------------------------------------------------------------------------------------ */

  function send(file) {
    if (!field("domain").reportValidity()) return say("file-said", "Name the domain first.", true);
    if (file.size > most) return say("file-said", file.name + " has " + count(file.size) + " bytes: wanted at most " + count(most) + ".", true);
    STEPS.forEach((step) => show(step, false));
    const bar = byId("sent"), request = new XMLHttpRequest();
    bar.hidden = false;
    bar.value = 0;
    say("file-said", "Sending " + file.name + " …");
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) bar.value = event.loaded / event.total; });
    request.addEventListener("loadend", () => {
      bar.hidden = true;
      byId("file").value = "";
      let told = {};
      try { told = JSON.parse(request.responseText); } catch { /* no answer, or none of ours */ }
      if (request.status !== 201) return say("file-said", told.detail || "The file did not arrive: the connection ended.", true);
      begin(told);
    });
    request.open("POST", api + "/uploads?domain=" + encodeURIComponent(field("domain").value) + "&file=" + encodeURIComponent(file.name));
    request.setRequestHeader("Accept", "application/json");
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.send(file);
  }

  function begin(sent) {
    upload = sent;
    found = null;
    delete area.dataset.changed;
    field("job").value = "";
    field("domain").value = sent.domain;
    byId("replace-choice").hidden = true;
    byId("trial").replaceChildren();
    say("trial-said", "");
    say("save-said", "");
    say("file-said", sent.file + ", " + count(sent.size) + " bytes.");
    listWaiting();
    inspect({}, true);
  }

  const drop = byId("drop");
  byId("file").addEventListener("change", (event) => { if (event.target.files.length) send(event.target.files[0]); });
  ["dragenter", "dragover"].forEach((name) => drop.addEventListener(name, (event) => { event.preventDefault(); drop.classList.add("is-over"); }));
  ["dragleave", "drop"].forEach((name) => drop.addEventListener(name, () => drop.classList.remove("is-over")));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    const files = event.dataTransfer.files;
    if (files.length > 1) return say("file-said", "Drop one file: others of its kind land beside it later.", true);
    if (files.length) send(files[0]);
  });
  /* A file that misses the zone would replace the page. */
  ["dragover", "drop"].forEach((name) => window.addEventListener(name, (event) => event.preventDefault()));

  /* Files that were sent earlier and not saved. */
  async function listWaiting() {
    const items = (await asked("/uploads", undefined, "GET").catch(() => ({ items: [] }))).items.filter((one) => !upload || one.id !== upload.id);
    const lines = items.map((one) => {
      const go = make("button", { type: "button" }, "Go on"), remove = make("button", { type: "button" }, "Remove");
      go.addEventListener("click", () => begin(one));
      remove.addEventListener("click", () => asked("/uploads/" + one.id, undefined, "DELETE").then(listWaiting, (error) => say("file-said", error.message, true)));
      return make("li", {}, one.file + " of " + one.domain + ", sent " + one.uploaded_at.replace("T", " ").slice(0, 16) + " UTC ", go, " ", remove);
    });
    byId("waiting").hidden = !lines.length;
    byId("waiting").replaceChildren(make("p", { class: "soft" }, "Sent before, and not saved:"), make("ul", { class: "plain" }, lines));
  }

  /* --- 2 to 4: the table, its profile, the suggestion ---------------------------------------------------------------- */

  /* How the file is read, as far as the user has chosen it. */
  let chosen = {};

  async function inspect(choice, isFirst) {
    const mine = asking += 1;
    chosen = isFirst ? {} : { ...chosen, ...choice };
    const starts = field("starts").value;
    const wanted = { ...chosen, starts };
    if (field("job").value) wanted.name = field("job").value;
    if (field("owner").value) wanted.owner = field("owner").value;
    if (starts === "schedule" && field("schedule").value) wanted.schedule = field("schedule").value;
    show("table", true);
    say("table-said", "Reading the file …");
    try {
      const told = await asked("/uploads/" + upload.id + "/inspection", wanted);
      if (mine !== asking) return;
      found = told;
      draw();
    } catch (error) {
      if (mine === asking) say("table-said", error.message, true);
    }
  }

  function draw() {
    const sheets = field("sheet");
    byId("sheet-choice").hidden = found.sheets.length < 2;
    sheets.replaceChildren(...found.sheets.map((name) => make("option", { value: name, selected: name === (found.sheet === null ? found.sheets[0] : found.sheet) }, name)));
    byId("delimiter-choice").hidden = found.delimiter === null;
    if (found.delimiter !== null) {
      if (![...field("delimiter").options].some((one) => one.value === found.delimiter)) field("delimiter").append(make("option", { value: found.delimiter }, found.delimiter));
      field("delimiter").value = found.delimiter;
    }
    byId("first-rows").replaceChildren(...(found.header_row === null ? [] : firstRows(found.first_rows, found.header_row, (number) => inspect({ header_row: number }))));
    say("table-said", found.notes.join(" ") || (found.header_row === null ? "The file names its columns." : ""));
    byId("profile-said").textContent = profileSaid(found);
    byId("profile").replaceChildren(profile(found));
    if (!field("job").value) field("job").value = found.yaml.match(/\$\{DQ_LANDING\}\/[^/]+\/([a-z0-9_]+)\//)[1];
    if (area.dataset.changed === undefined) suggest();
    else byId("suggest-again").hidden = false;
    STEPS.forEach((step) => show(step, true));
  }

  function suggest() {
    byId("suggest-again").hidden = true;
    window.dqYamlEditor.set(area, found.yaml, found.columns);
    byId("trial").replaceChildren();
    say("trial-said", "");
  }

  byId("suggest-again").addEventListener("click", suggest);
  field("sheet").addEventListener("change", (event) => { chosen = {}; inspect({ sheet: event.target.value }); });
  field("delimiter").addEventListener("change", (event) => inspect({ delimiter: event.target.value }));
  ["job", "owner", "starts", "schedule"].forEach((name) => field(name).addEventListener("change", () => {
    byId("cron").hidden = field("starts").value !== "schedule";
    if (upload && field("job").checkValidity()) inspect({});
  }));
  area.addEventListener("input", () => { if (byId("trial").childElementCount) say("trial-said", "The text has changed since this trial."); });

  /* --- 5 and 6: trial, save, run --------------------------------------------------------------------------------------- */

  const buttons = () => ["try", "save", "save-run"].map(byId).filter(Boolean);

  async function busy(id, text, work) {
    if (!field("job").reportValidity()) return;
    buttons().forEach((button) => { button.disabled = true; });
    say(id, text);
    try {
      await work();
    } catch (error) {
      say(id, error.message, true);
      if (error.status === 409 && error.message.includes("replace it")) byId("replace-choice").hidden = false;
    } finally {
      buttons().forEach((button) => { button.disabled = false; });
    }
  }

  const body = () => ({ name: field("job").value, yaml: area.value });

  byId("try").addEventListener("click", () => busy("trial-said", "Judging the rows …", async () => {
    byId("trial").replaceChildren();
    const tried = await asked("/uploads/" + upload.id + "/trial", body());
    byId("trial").replaceChildren(...trial(tried));
    say("trial-said", count(tried.published) + " of " + count(tried.rows_in) + " rows would be published, " + count(tried.refused) + " refused.");
  }));

  const page = (name) => form.dataset.page.replace("NAME", encodeURIComponent(name));

  async function save() {
    const saved = await asked("/uploads/" + upload.id + "/save", { ...body(), replace: field("replace").checked });
    upload = null;
    return saved;
  }

  byId("save").addEventListener("click", () => busy("save-said", "Saving …", async () => {
    const saved = await save();
    if (saved.loaded && form.dataset.hosts !== undefined) return say("save-said", "Saved, but it cannot run yet: " + saved.loaded, true);
    location.assign(page(saved.name) + "?saved=new");
  }));

  if (byId("save-run")) {
    byId("save-run").addEventListener("click", () => busy("save-said", "Saving …", async () => {
      const saved = await save();
      if (saved.loaded) return say("save-said", "Saved, but it cannot run yet: " + saved.loaded, true);
      say("save-said", "Saved. Starting a run …");
      const run = await asked("/jobs/" + encodeURIComponent(saved.name) + "/execute", {}).catch((error) => {
        throw new Error("Saved, but no run was started: " + error.message);
      });
      location.assign(form.dataset.run.replace("RUN", encodeURIComponent(run.run_id)));
    }));
  }

  form.addEventListener("submit", (event) => event.preventDefault());
  listWaiting();
})();
