/* Draws the charts in the reader's colours, and reloads the page when history changes. Without scripts, tables have the same numbers. */
"use strict";

(() => {
  const POLL = 5000, RETRY = 30000;
  const style = () => getComputedStyle(document.documentElement);
  const colour = (role) => style().getPropertyValue("--" + role).trim();
  /* Plotly interprets <b>, <a> and the like in texts, so names are escaped. */
  const plain = (text) => String(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  const faded = (hex) => hex + "33";
  const SHAPES = { healthy: "circle", failing: "x", warning: "diamond" };
  const DASHES = ["solid", "dash", "dot", "dashdot"];

  function traces(series, chart) {
    const tone = colour(series.tone), x = series.x, said = series.text.map(plain);
    const value = chart.horizontal ? "%{x:,}" : "%{y:,}";
    const hover = said.length ? value + "<br>%{text}<extra>" + plain(series.name) + "</extra>" : value + "<extra>" + plain(series.name) + "</extra>";
    const common = { name: plain(series.name), text: said, hovertemplate: hover };
    if (series.kind === "band") {
      const edge = { x, mode: "lines", line: { width: 0 }, hoverinfo: "skip", connectgaps: false };
      return [
        { ...edge, y: series.low, showlegend: false },
        { ...edge, y: series.y, name: plain(series.name), fill: "tonexty", fillcolor: faded(tone), text: [] },
      ];
    }
    if (series.kind === "bar") {
      const marker = { color: tone, pattern: series.tone === "failing" ? { shape: "/", size: 5, fgcolor: colour("card"), fgopacity: 0.55, fillmode: "overlay" } : {} };
      if (chart.horizontal) return [{ ...common, type: "bar", textposition: "none", marker, x: series.y, y: x.map(plain), orientation: "h" }];
      /* One bar per run, at equal distances: on a time axis, the two closest bars would set the width of all. */
      const when = x.map((at, place) => moment(at) + (said[place] ? "<br>" + said[place] : ""));
      return [{ ...common, type: "bar", textposition: "none", marker, x: x.map((_, place) => place), y: series.y, text: when, hovertemplate: "%{y:,}<br>%{text}<extra>" + plain(series.name) + "</extra>" }];
    }
    const marker = { color: tone, size: series.kind === "mark" ? 7 : 4, symbol: SHAPES[series.tone] || "circle" };
    const mode = series.kind === "mark" ? "markers" : x.length > 60 || (x.length > 1 && chart.series.length > 1) ? "lines" : "lines+markers";
    return [{ ...common, x, y: series.y, mode, line: { color: tone, width: 1.8, dash: DASHES[(Number(series.tone.slice(4)) - 1) % 4] || "solid" }, marker }];
  }

  const moment = (at) => at.replace("T", " ").slice(0, 16);

  /* Evenly chosen tick labels for bars: days, or minutes if the bars are close together. */
  function runs(x, wide) {
    const step = Math.max(1, Math.ceil(x.length / (wide ? 8 : 4))), near = Date.parse(x[x.length - 1]) - Date.parse(x[0]) < 2 * 86400e3;
    const shown = x.map((_, place) => place).filter((place) => place % step === 0);
    /* A few bars stay narrow, in the middle. */
    const range = x.length < 4 ? { range: [-1.5, x.length + 0.5] } : {};
    return { type: "linear", ...range, tickvals: shown, ticktext: shown.map((place) => near ? moment(x[place]).slice(5) : x[place].slice(wide ? 0 : 5, 10)) };
  }

  /* A narrow chart stacks its legend, and needs extra height for it. */
  const tall = (chart, wide) => (chart.horizontal ? 380 : 260) + (!wide && chart.series.length > 4 ? 22 * chart.series.length : 0);

  /* At least ten minutes, and two hours around a single moment: Plotly would draw an axis of milliseconds. It takes every time
     as it is written, so without a zone. */
  function wideEnough(chart) {
    const moments = [...new Set(chart.series.flatMap((series) => series.x))].sort();
    if (!moments.length) return {};
    const [first, last] = [moments[0], moments[moments.length - 1]].map((at) => Date.parse(at.replace(/(Z|[+-]\d\d:\d\d)$/, "") + "Z"));
    const least = moments.length === 1 ? 7200e3 : 600e3, missing = (least - (last - first)) / 2;
    return missing > 0 ? { range: [first - missing, last + missing].map((at) => new Date(at).toISOString().slice(0, 19)) } : {};
  }

  /* Names of runs at equal distances, with as many labels as fit. */
  function named(x, width) {
    const longest = Math.max(1, ...x.map((name) => name.length)), fit = Math.max(1, Math.floor((width - 60) / (8 * longest + 10)));
    const step = Math.ceil(x.length / fit);
    return { type: "category", categoryorder: "array", categoryarray: x, tickvals: x.filter((_, place) => place % step === 0), tickangle: 0 };
  }

  function layout(chart, width) {
    const wide = width > 500;
    const axis = { color: colour("soft"), gridcolor: colour("grid"), linecolor: colour("line"), zeroline: false, automargin: true };
    const values = { ...axis, type: chart.logarithmic ? "log" : "linear", dtick: chart.logarithmic ? 1 : undefined, ticksuffix: chart.unit === "%" ? " %" : "" };
    if (chart.bounds) values.range = chart.bounds; else if (!chart.logarithmic) values.rangemode = chart.unit ? "tozero" : "normal";
    const bars = chart.series.length && chart.series[0].kind === "bar" && chart.series[0].x.length;
    /* A few rows are counted in whole numbers. */
    if (bars && !chart.logarithmic && Math.max(...chart.series.flatMap((series) => series.y)) <= 5) values.dtick = 1;
    const places = chart.horizontal ? { ...axis, type: "category" } : chart.by_run ? { ...axis, ...named([...new Set(chart.series.flatMap((series) => series.x))], width) } : bars ? { ...axis, ...runs(chart.series[0].x, wide), showgrid: false, tickangle: 0 } : { ...axis, type: "date", nticks: wide ? 8 : 4, ...wideEnough(chart) };
    return {
      autosize: true, height: tall(chart, wide), paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: colour("ink"), size: 12, family: getComputedStyle(document.body).fontFamily },
      margin: { l: 8, r: 8, t: 8, b: 8 }, barmode: chart.stacked ? "stack" : "group", bargap: 0.25,
      hovermode: "closest", hoverlabel: { bgcolor: colour("card"), bordercolor: colour("line"), font: { color: colour("ink") }, align: "left" },
      legend: { orientation: "h", y: chart.horizontal ? -0.1 : -0.2, maxheight: 1, yanchor: "top", x: 0, font: { color: colour("soft"), size: 12 }, traceorder: "normal" },
      showlegend: chart.series.length > 1, dragmode: false,
      xaxis: chart.horizontal ? values : places, yaxis: chart.horizontal ? places : values,
    };
  }

  function draw() {
    if (!window.Plotly) return;
    for (const block of document.querySelectorAll("script.chart-data")) {
      const target = document.getElementById(block.dataset.for), chart = JSON.parse(block.textContent);
      const shown = chart.series.flatMap((series) => traces(series, chart));
      Plotly.react(target, shown, layout(chart, target.clientWidth), { displayModeBar: false, responsive: true, scrollZoom: false });
    }
  }

  function age(then) {
    const seconds = Math.max((Date.now() - then) / 1000, 0);
    for (const [unit, length] of [["day", 86400], ["h", 3600], ["min", 60]]) {
      const count = Math.floor(seconds / length);
      if (count) return count + " " + unit + (unit === "day" && count > 1 ? "s" : "") + " ago";
    }
    return "just now";
  }

  const updateAges = () => document.querySelectorAll("time[data-age]").forEach((time) => { time.textContent = age(Date.parse(time.dateTime)); });

  /* --- live ------------------------------------------------------------------------------------------------- */

  const live = document.getElementById("live"), base = document.body.dataset.base;
  let polling = null, loading = false, wanted = null, later = null;

  function say(state, text) {
    live.className = "live " + state;
    live.querySelector(".said").textContent = text;
  }

  const clock = () => new Date().toLocaleTimeString([], { hour12: false });

  /* Replaces the content by the current page; keeps what the reader has opened, focused and scrolled to. */
  async function load() {
    if (loading) return;
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      /* A page with a form has a part that changes; the form keeps what the reader has filled in. */
      const part = document.querySelector("[data-refresh], [data-live]"), id = part && page.getElementById(part.id) ? part.id : "main";
      const fresh = page.getElementById(id), old = document.getElementById(id);
      if (fresh.dataset.refresh) old.dataset.refresh = fresh.dataset.refresh;
      const open = [...old.querySelectorAll("details[open][id]")].map((details) => details.id);
      const focusable = "a, button, input, select, textarea, summary, [tabindex]";
      const fields = [...old.querySelectorAll("form[method=get] [name]")].map((field) => [field.name, field.value, field.selectionStart]);
      const focused = old.contains(document.activeElement) ? [...old.querySelectorAll(focusable)].indexOf(document.activeElement) : -1;
      const href = document.activeElement && document.activeElement.getAttribute("href");
      const tops = [...old.querySelectorAll(".scroll")].map((box) => [box.scrollLeft, box.scrollTop]);
      const at = [scrollX, scrollY];
      old.querySelectorAll(".plot").forEach((plot) => window.Plotly && Plotly.purge(plot));
      old.querySelectorAll("[data-from]").forEach((part) => { const same = fresh.querySelector("#" + part.id); if (same) same.replaceWith(part); });
      old.replaceChildren(...fresh.childNodes);
      for (const [name, value, caret] of fields) {
        const field = old.querySelector(`form[method=get] [name="${CSS.escape(name)}"]`);
        if (!field) continue;
        field.value = value;
        if (caret != null) field.setSelectionRange(caret, caret);
      }
      open.forEach((id) => { const details = document.getElementById(id); if (details) details.open = true; });
      [...old.querySelectorAll(".scroll")].forEach((box, index) => { if (tops[index]) [box.scrollLeft, box.scrollTop] = tops[index]; });
      old.querySelectorAll("[data-needs-script]").forEach((element) => { element.hidden = false; });
      document.body.dataset.token = page.body.dataset.token;
      old.querySelectorAll("[data-from]").forEach((part) => readPart(part).catch(() => {}));
      draw();
      updateAges();
      if (focused >= 0) {
        const same = href && [...old.querySelectorAll("a")].find((link) => link.getAttribute("href") === href);
        (same || [...old.querySelectorAll(focusable)][focused] || old).focus({ preventScroll: true });
      }
      scrollTo({ left: at[0], top: at[1], behavior: "instant" });
    } finally {
      loading = false;
    }
    if (wanted !== null && wanted !== document.body.dataset.token) setTimeout(() => onToken(wanted), 1000);
  }

  /* Whether the reader fills in or ticks something, which a reload would lose. */
  const busy = () => document.querySelector("input[data-tick]:checked, input:focus, select:focus, textarea:focus, [data-changed]") !== null;

  /* A part of the page that changes without new history says after how many seconds it is read again. */
  function refresh() {
    const part = document.querySelector("[data-refresh]");
    if (!part) return;
    setTimeout(async () => {
      if (!document.hidden && !busy()) await load().catch(() => {});
      refresh();
    }, 1000 * Number(part.dataset.refresh));
  }

  /* A part with an address of its own is read from there: at once, and again after as many seconds as it says. */
  async function follow(part) {
    if (!document.hidden && !part.contains(document.activeElement)) await readPart(part).catch(() => {});
    setTimeout(() => follow(part), 1000 * Number(part.dataset.every || 10));
  }

  async function readPart(part) {
    const answer = await fetch(part.dataset.from, { headers: { Accept: "text/html" }, cache: "no-store" });
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-every]");
    part.dataset.every = fresh.dataset.every;
    part.replaceChildren(...fresh.childNodes);
  }

  function onToken(token) {
    if (!document.body.dataset.token) return;  // the page shows nothing of history
    wanted = token;
    if (token === document.body.dataset.token) return;
    clearTimeout(later);
    if (busy()) later = setTimeout(() => onToken(wanted), 1000);
    else load().then(() => say(live.className.replace("live ", ""), "updated at " + clock()), () => {});
  }

  async function poll() {
    try {
      const answer = await fetch(base + "pulse", { cache: "no-store" });
      if (!answer.ok) throw new Error(answer.status);
      say("asking", "checked at " + clock());
      onToken((await answer.json()).token);
    } catch {
      say("lost", "no answer since " + clock());
    }
  }

  function listen() {
    const events = new EventSource(base + "events");
    events.onopen = () => { clearInterval(polling); polling = null; say("streaming", "live"); };
    events.addEventListener("pulse", (event) => onToken(event.data));
    events.onerror = () => {
      if (polling === null) { polling = setInterval(poll, POLL); poll(); }
      /* The browser reconnects by itself, unless the answer was an error. */
      if (events.readyState === EventSource.CLOSED) setTimeout(listen, RETRY);
    };
  }

  draw();
  updateAges();
  setInterval(updateAges, 30000);
  /* What the reader is still filling in stays: the page is read again when that is saved. */
  document.addEventListener("dq:reload", () => { if (!document.querySelector("[data-changed]")) load().catch(() => {}); });
  refresh();
  document.querySelectorAll("[data-from]").forEach(follow);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  if (base && live) listen();
})();
