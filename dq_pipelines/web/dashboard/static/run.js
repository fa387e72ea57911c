/* Updates a run's page from its event stream. Without scripts, the page shows the progress at the time of loading. */
"use strict";

(() => {
  const RETRY = 5000;
  const live = document.getElementById("live");
  let run = document.getElementById("run");
  /* Colour and word of Dagster's statuses, from run_words.py. */
  const RUNS = JSON.parse(run.dataset.words);
  const OVER = ["SUCCESS", "FAILURE", "CANCELED"];
  const WORDS = { passed: ["✓", "passed"], warning: ["!", "warning"], failing: ["✕", "failing"], wait: ["…", "waiting"] };
  const number = (value) => Math.round(value).toLocaleString("en-US");

  function say(state, text) {
    live.className = "live " + state;
    live.querySelector(".said").textContent = text;
  }

  function element(tag, name, text) {
    const made = document.createElement(tag);
    if (name) made.className = name;
    made.textContent = text;
    return made;
  }

  function badge(level) {
    const made = element("span", "badge " + level, ""), mark = element("span", "", WORDS[level][0]);
    mark.setAttribute("aria-hidden", "true");
    made.append(mark, " " + WORDS[level][1]);
    return made;
  }

  /* A value, and its total in small letters. */
  function put(target, value, of) {
    target.replaceChildren(value);
    if (of !== undefined) target.append(" ", element("small", "", "of " + of));
  }

  const card = (key) => document.querySelector('[data-table="' + CSS.escape(String(key).split("/").pop()) + '"]');

  function row(of, check, severity, ofInput) {
    const found = of.querySelector('[data-check="' + CSS.escape(check) + '"]');
    if (found) return found;
    const made = document.createElement("tr");
    made.dataset.check = check;
    made.dataset.severity = severity;
    if (ofInput) made.dataset.ofInput = "";
    made.append(element("td", "result", ""), element("td", "", check), element("td", "found", ""));
    of.querySelector("tbody").append(made);
    return made;
  }

  function judge(line, passed, fails) {
    const level = passed ? "passed" : (fails === undefined ? line.dataset.severity === "critical" : fails) ? "failing" : "warning", cell = line.querySelector(".result");
    if (!cell.querySelector("." + level)) cell.replaceChildren(badge(level));
    const of = line.closest(".run-table"), rules = "tr:not([data-of-input]) > td.result ";
    const count = of.querySelectorAll(rules + ".failing, " + rules + ".warning").length, judged = of.querySelectorAll(rules + ".badge:not(.wait)").length;
    of.querySelector(".not-met").textContent = count ? count + " of " + judged + (judged === 1 ? " rule" : " rules") + " not met" : "";
  }

  const HANDLERS = {
    status(word) {
      const [tone, said] = RUNS[word.status] || ["on", word.status.replaceAll("_", " ").toLowerCase()];
      run.className = "hero card " + tone;
      document.getElementById("status").textContent = said;
      document.getElementById("status").dataset.status = word.status;
      if (word.said) { const said = document.getElementById("said"); said.textContent = word.said; said.hidden = false; }
      const button = document.getElementById("cancel");
      if (button && (OVER.includes(word.status) || word.status === "CANCELING")) {
        button.hidden = true;
        document.getElementById("cancelling").textContent = word.status === "CANCELING" ? "The run is being cancelled." : "";
      }
      if (OVER.includes(word.status)) document.querySelectorAll("progress:not([value])").forEach((bar) => { bar.value = 0; });
    },
    step(word) {
      const of = card(word.step);
      if (!of) return;
      if (word.state !== "succeeded") of.querySelector(".stage").textContent = word.state;
      if (word.said) { const failure = of.querySelector(".failure"); failure.textContent = word.said; failure.hidden = false; }
    },
    progress(word) {
      const of = card(word.table), bar = of && of.querySelector("progress");
      if (!of) return;
      of.querySelector(".stage").textContent = word.stage;
      of.querySelector(".stage-note").textContent = word.note || "";
      if (word.percent === undefined) bar.removeAttribute("value"); else bar.value = word.percent;
      of.querySelector(".stages").replaceChildren(...word.stages.map((one) => {
        const item = element("li", "", one.stage + " ");
        item.append(element("span", "soft", one.seconds.toFixed(1) + " s"));
        return item;
      }));
      put(of.querySelector(".rows-seen"), number(word.rows || 0), word.total_rows === undefined ? undefined : number(word.total_rows));
      put(of.querySelector(".rate"), number(word.rows_per_second || 0));
      put(of.querySelector(".refused"), number(word.refused || 0));
      put(of.querySelector(".rules-done"), String(word.rules_done || 0), String(word.rules_total || 0));
      for (const [check, count] of Object.entries(word.failing || {})) row(of, check, "critical").querySelector(".found").textContent = number(count) + " so far";
      for (const [check, passed] of Object.entries(word.passed || {})) judge(row(of, check, "critical"), passed);
    },
    check(word) {
      const of = card(word.table);
      if (!of) return;
      const line = row(of, word.check, word.severity, word.table.startsWith("bronze/")), several = word.partition !== undefined, before = line.dataset;
      /* Of several partitions, the rule is met if it is met in all of them; their rows are summed. */
      if (!several || word.passed === false || !line.querySelector(".failing, .warning")) judge(line, word.passed, word.fails);
      if (word.unexpected_count === undefined) return;
      before.unexpected = word.unexpected_count + (several ? Number(before.unexpected || 0) : 0);
      before.elements = (word.element_count || 0) + (several ? Number(before.elements || 0) : 0);
      const count = Number(before.unexpected), of_all = Number(before.elements);
      line.querySelector(".found").textContent = number(count) + (of_all ? " of " + number(of_all) : "") + (of_all || count !== 1 ? " rows" : " row");
    },
  };

  /* The log is read when it is opened, and followed while the run is under way. */
  let log = document.getElementById("log");

  function logLine(event) {
    const made = element("li", event.level === "ERROR" || event.level === "CRITICAL" ? "bad" : "", "");
    made.append(element("time", "soft", event.at.slice(11, 19)), " ", element("span", "code", event.step || ""), " ", (event.message || event.kind.toLowerCase().replaceAll("_", " ")) + (event.error ? " " + event.error : ""));
    return made;
  }

  const PAGE = 200;
  let cursor = "", reading = false;

  async function readLog() {
    if (!log.open || reading) return;
    reading = true;
    const status = log.querySelector("[role=status]");
    let wait = 3000;
    try {
      const query = "?level=INFO&limit=" + PAGE + (cursor ? "&cursor=" + encodeURIComponent(cursor) : "");
      const answer = await fetch(log.dataset.url + query, { headers: { Accept: "application/json" } });
      const page = await answer.json();
      if (!answer.ok) throw new Error(page.detail || page.title);
      log.querySelector("ol").append(...page.items.map(logLine));
      status.textContent = log.querySelector("li") ? "" : "Nothing is logged yet.";
      cursor = page.next;
      wait = page.next === null ? null : page.items.length === PAGE ? 0 : 3000;
    } catch (error) {
      status.textContent = error.message;
    }
    reading = false;
    if (wait !== null) setTimeout(readLog, wait);
  }

  log.addEventListener("toggle", () => { if (cursor !== null) readLog(); });

  /* A run that has ended shows what a reload shows: the page is read again. What the reader has opened stays open. */
  async function end(tries = 3) {
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main"), main = document.getElementById("main");
      const at = [scrollX, scrollY], was = [...main.querySelectorAll("details[id]")].map((details) => [details.id, details.open]);
      fresh.querySelector("#log").replaceWith(log);
      main.replaceChildren(...fresh.childNodes);
      was.forEach(([id, open]) => { const details = document.getElementById(id); if (details) details.open = open; });
      run = document.getElementById("run");
      scrollTo({ left: at[0], top: at[1], behavior: "instant" });
    } catch {
      if (tries > 1) setTimeout(() => end(tries - 1), RETRY);
    }
  }

  function listen() {
    const events = new EventSource(run.dataset.events + "?after=" + run.dataset.last);
    events.onopen = () => say("streaming", "live");
    for (const [type, handle] of Object.entries(HANDLERS)) {
      events.addEventListener(type, (event) => {
        const word = JSON.parse(event.data);
        if (word.id <= Number(run.dataset.last)) return;
        run.dataset.last = word.id;
        handle(word);
      });
    }
    events.addEventListener("end", () => { events.close(); run.dataset.over = ""; say("", "the run has ended"); end(); });
    events.onerror = () => {
      say("lost", "the stream was interrupted");
      /* The browser reconnects by itself, unless the answer was an error. */
      if (events.readyState === EventSource.CLOSED && run.dataset.over === undefined) setTimeout(listen, RETRY);
    };
  }

  async function cancel(button) {
    const message = document.getElementById("cancelling");
    button.disabled = true;
    message.textContent = "Requesting the cancellation …";
    try {
      const answer = await fetch(button.dataset.url, { method: "POST", headers: { Accept: "application/json" } });
      if (!answer.ok) throw new Error((await answer.json()).detail);
      message.textContent = "The run is being cancelled.";
    } catch (error) {
      message.textContent = error.message;
      button.disabled = false;
    }
  }

  const button = document.getElementById("cancel");
  if (button) {
    button.hidden = false;
    button.addEventListener("click", () => cancel(button));
  }
  if (run.dataset.over === undefined) listen(); else say("", "the run has ended");
})();
