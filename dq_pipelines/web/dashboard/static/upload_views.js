/* Draws what the server says of an uploaded file: its first rows, its profile, and a trial. Every text is a text, never markup. */
"use strict";

window.dqUploadViews = (() => {
  /* First rows that are drawn; a header further down is drawn with the rows below it. */
  const SHOWN = 10;
  const count = (number) => Number(number).toLocaleString("en");

  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes || {}).forEach(([key, value]) => { if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value); });
    made.append(...children.flat().filter((one) => one !== null && one !== undefined));
    return made;
  }

  function table(caption, head, rows, kind) {
    const heads = head.map((one) => make("th", { scope: "col" }, one));
    const body = make("table", { class: kind || "" }, make("caption", { class: "hidden" }, caption), make("thead", {}, make("tr", {}, heads)), make("tbody", {}, rows));
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, body);
  }

  const cells = (values) => values.map((value) => make("td", {}, value === null ? make("span", { class: "soft" }, "null") : make("span", { class: "cell" }, value)));

  /* The first rows, each with a button of choice for the row of the names. */
  function firstRows(rows, header, choose) {
    const option = (number, label) => {
      const input = make("input", { type: "radio", name: "header_row", value: number, checked: number === header, "aria-label": label });
      input.addEventListener("change", () => choose(number));
      return input;
    };
    const width = Math.max(...rows.map((row) => row.cells.length));
    const below = rows.findIndex((row) => row.number === header), shown = rows.slice(0, Math.max(SHOWN, below + 4));
    const lines = shown.map((row) => make("tr", { class: row.number === header ? "is-header" : row.number < header ? "is-above" : "" },
      make("td", {}, option(row.number, "Row " + row.number + " has the names")), make("td", { class: "soft number" }, row.number), cells([...row.cells, ...Array(width - row.cells.length).fill("")])));
    const none = make("label", {}, option(0, "No row has the names"), " No row has the names");
    const head = [make("span", {}, "names"), "row", ...Array.from({ length: width }, (_, place) => letters(place))];
    return [make("p", { class: "soft" }, "Which row has the names of the columns? Rows above it are left out."), table("First rows of the file", head, lines, "rows first-rows"), none];
  }

  /* The name of a column of a sheet: A to Z, AA and so on. */
  const letters = (place) => (place >= 26 ? letters(Math.floor(place / 26) - 1) : "") + String.fromCharCode(65 + (place % 26));

  const bars = (column) => (column.histogram.length ? column.histogram : column.values);

  function spark(column) {
    const shown = bars(column);
    if (!shown.length) return null;
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg"), wide = 120, step = wide / shown.length;
    const label = shown.filter((one) => one.count).slice(0, 8).map((one) => one.label + ": " + count(one.count)).join(", ");
    Object.entries({ viewBox: "0 0 " + wide + " 28", width: wide, height: 28, role: "img", "aria-label": label, class: "spark" }).forEach(([key, value]) => svg.setAttribute(key, value));
    shown.forEach((one, place) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect"), high = Math.max(one.count ? 1 : 0, one.width * 0.28);
      Object.entries({ x: place * step, y: 28 - high, width: Math.max(1, step - 1), height: high }).forEach(([key, value]) => bar.setAttribute(key, value));
      svg.append(bar);
    });
    return svg;
  }

  function profile(found) {
    const rows = found.profile.map((column) => {
      const facts = column.facts.filter(([name]) => ["from", "to", "mean", "characters", "null markers"].includes(name)).map(([name, value]) => name + " " + value).join(", ");
      const values = column.values.slice(0, 3).map((one) => one.label + " (" + one.share + ")").join(", ");
      return make("tr", {}, make("td", {}, make("strong", { class: "cell" }, column.name)), make("td", { "data-label": "type" }, make("code", {}, column.type)),
        make("td", { class: "number", "data-label": "filled" }, column.filled_said), make("td", { class: "number", "data-label": "distinct" }, column.distinct),
        make("td", {}, spark(column)), make("td", { class: "soft" }, make("span", { class: "cell" }, facts || values)));
    });
    return table("Profile of the columns", ["column", "type", "filled", "distinct", make("span", { class: "hidden" }, "values as bars"), "values"], rows, "cards");
  }

  function profileSaid(found) {
    const parts = [count(found.rows) + (found.rows === 1 ? " row" : " rows") + ", " + found.columns.length + (found.columns.length === 1 ? " column" : " columns")];
    if (found.sampled !== null) parts.push("profiled from " + count(found.sampled) + " rows");
    if (found.encoding) parts.push("encoding " + found.encoding);
    if (found.profile.length < found.columns.length) parts.push("the first " + found.profile.length + " columns are shown");
    const lines = found.unreadable.count ? " " + count(found.unreadable.count) + " lines cannot be read, such as line " + found.unreadable.first[0].row + ": " + found.unreadable.first[0].why + "." : "";
    return parts.join(", ") + "." + lines;
  }

  const tile = (name, value, tone) => make("div", { class: tone || "" }, make("dt", {}, name), make("dd", {}, count(value)));

  function trial(tried) {
    const parts = [make("dl", { class: "tiles" }, tile("rows in", tried.rows_in), tile("published", tried.published), tile("refused", tried.refused), tile("dropped", tried.dropped))];
    if (tried.blocked) parts.unshift(make("p", { class: "note said-bad" }, tried.blocked));
    tried.notes.forEach((note) => parts.push(make("p", { class: "soft" }, note)));
    const failed = tried.rules.filter((rule) => !rule.success);
    if (failed.length) parts.push(make("h3", {}, "What fails"), table("Rules that fail", ["rule", "column", "severity", "rows", "what follows"], failed.map(ruleRow), "cards"));
    else parts.push(make("p", {}, "Every rule passes."));
    if (tried.refused_rows.length) parts.push(make("h3", {}, "Refused rows" + (tried.refused > tried.refused_rows.length ? ", the first " + tried.refused_rows.length : "")), refusedRows(tried));
    if (tried.published_rows.length) parts.push(make("h3", {}, "Published rows, the first " + tried.published_rows.length), table("Published rows", Object.keys(tried.columns), tried.published_rows.map((row) => make("tr", {}, cells(row))), "rows"));
    return parts;
  }

  const FOLLOWS = { block: "blocks the batch", quarantine: "refuses the rows", drop: "drops the rows", warn: "warns" };

  function ruleRow(rule) {
    const found = rule.error || (rule.failing === null ? "observed " + rule.observed : count(rule.failing) + " of " + count(rule.judged));
    return make("tr", {}, make("td", { class: "code" }, rule.rule), make("td", { "data-label": "column" }, rule.column || ""), make("td", { "data-label": "severity" }, rule.severity),
      make("td", { "data-label": "rows" }, found), make("td", { "data-label": "what follows" }, FOLLOWS[rule.action] || rule.action || ""));
  }

  function refusedRows(tried) {
    const names = Object.keys(tried.refused_rows[0].cells);
    const rows = tried.refused_rows.map((row) => {
      const why = row.reasons.map((one) => one.rule + (one.column ? " of " + one.column : "") + (one.value === null || one.value === undefined ? "" : ": " + one.value)).join("; ");
      return make("tr", {}, make("td", { class: "soft number" }, row.row === null ? "" : row.row), make("td", {}, make("span", { class: "cell" }, why)), cells(names.map((name) => row.cells[name])));
    });
    return table("Refused rows", ["row", "why", ...names], rows, "rows");
  }

  return { make, firstRows, profile, profileSaid, trial, count };
})();
