/* An editor for a table's YAML: a text field with line numbers, a list of completions, and checks as one types.

   It stands on `<textarea data-yaml>`. `data-check` is the address that checks a text, `data-schema` that of the JSON Schema. The
   fields `job` and `domain` of its form say what is checked. `data-faulty` says that the text has mistakes as it is. Without scripts the text field stays as it is. */
"use strict";

(() => {
  const WAIT = 700, MOST = 50;
  /* Keys whose values are columns of the table. */
  const OF_COLUMNS = new Set(["column", "column_A", "column_B", "column_list", "column_set", "keys", "by", "order_by", "columns", "from"]);

  function element(name, attributes, ...children) {
    const made = document.createElement(name);
    Object.entries(attributes || {}).forEach(([key, value]) => made.setAttribute(key, value));
    made.append(...children);
    return made;
  }

  function start(area) {
    const id = area.id || "yaml", frame = element("div", { class: "yaml-editor" }), gutter = element("div", { class: "gutter", "aria-hidden": "true" });
    const list = element("ul", { role: "listbox", id: id + "-words", "aria-label": "Completions", hidden: "" });
    const said = element("p", { class: "yaml-said soft", role: "status" }), mistakes = element("ol", { class: "mistakes", "aria-label": "Mistakes in the text", hidden: "" });
    const hint = element("p", { class: "soft hint", id: id + "-hint" }, "Ctrl+Space lists what may stand at the caret; Tab or Enter takes it, Escape closes the list.");
    area.before(frame);
    frame.append(gutter, area, list);
    frame.after(said, mistakes, hint);
    area.setAttribute("wrap", "off");
    area.setAttribute("aria-autocomplete", "list");
    area.setAttribute("aria-controls", list.id);
    area.setAttribute("aria-describedby", hint.id);
    const editor = { area, gutter, list, said, mistakes, words: [], active: -1, schema: null, columns: [], faulty: new Map() };
    area.dqEditor = editor;
    if (!area.readOnly) listen(editor);
    else hint.remove();
    area.addEventListener("scroll", () => { gutter.scrollTop = area.scrollTop; });
    number(editor);
  }

  function listen(editor) {
    const { area } = editor;
    area.addEventListener("focus", () => load(editor), { once: true });
    area.addEventListener("input", (event) => {
      area.dataset.changed = "";
      number(editor);
      later(editor);
      if (event.inputType !== "insertLineBreak" && (event.data || "").trim() + (event.inputType === "deleteContentBackward" ? "x" : "") !== "" || editor.words.length) offer(editor, false);
    });
    area.addEventListener("keydown", (event) => key(editor, event));
    area.addEventListener("blur", () => setTimeout(() => close(editor), 150));
    area.addEventListener("click", () => close(editor));
    editor.list.addEventListener("mousedown", (event) => {
      const option = event.target.closest("[role=option]");
      event.preventDefault();
      if (option) take(editor, Number(option.dataset.place));
    });
    if (area.form) area.form.addEventListener("change", (event) => { if (["job", "domain"].includes(event.target.name)) later(editor); });
    /* A text that was loaded without a mistake needs no check before it is changed: a check reads the whole project. */
    if (area.dataset.faulty !== undefined) later(editor);
  }

  /* --- line numbers -------------------------------------------------------------------------------------------- */

  function number(editor) {
    const count = editor.area.value.split("\n").length;
    const lines = Array.from({ length: count }, (_, place) => {
      const bad = editor.faulty.has(place + 1), line = element("span", bad ? { class: "bad", title: editor.faulty.get(place + 1) } : {});
      line.textContent = String(place + 1);
      return line;
    });
    editor.gutter.replaceChildren(...lines);
    editor.gutter.scrollTop = editor.area.scrollTop;
  }

  /* --- completion ----------------------------------------------------------------------------------------------- */

  async function load(editor) {
    editor.schema = await window.dqYaml.load(editor.area.dataset.schema);
  }

  const quoted = (name) => (/^[A-Za-z_][\w]*$/.test(name) ? name : JSON.stringify(name));

  /* What may stand at the caret, best first. */
  function words(editor, place) {
    const names = [...new Set([...window.dqYamlPlace.columns(editor.area.value), ...editor.columns])];
    const last = place.path.filter((one) => one !== "[]").pop() || "", inItem = place.path[place.path.length - 1] === "[]";
    if (place.value && OF_COLUMNS.has(last) && !(last === "columns" && !inItem)) return names.map((name) => ({ text: quoted(name), about: "column" }));
    if (place.value) return window.dqYaml.listed(editor.schema, place.path, place.types);
    const isOfColumns = place.path.join("/") === "silver/columns";
    const found = isOfColumns ? names.map((name) => ({ text: quoted(name), about: "column of the file" })) : window.dqYaml.keys(editor.schema, place.path, place.types);
    return found.filter((one) => !place.used.has(one.text.replace(/^"(.*)"$/, "$1"))).map((one) => ({ ...one, key: true }));
  }

  async function offer(editor, asked) {
    const { area } = editor;
    if (!editor.schema) await load(editor);
    if (!editor.schema || area.selectionStart !== area.selectionEnd) return close(editor);
    const place = window.dqYamlPlace.of(area.value, area.selectionStart);
    if (!place || (!asked && !place.word && !place.value)) return close(editor);
    const typed = place.word.replace(/^["']/, "").toLowerCase();
    const all = words(editor, place).map((one) => ({ ...one, rank: rank(one.text.toLowerCase().replace(/^"/, ""), typed) })).filter((one) => one.rank >= 0);
    const found = all.sort((one, other) => one.rank - other.rank).slice(0, MOST);
    if (!found.length || (!asked && found.length === 1 && found[0].text === place.word)) return close(editor);
    editor.words = found;
    editor.length = place.word.length;
    show(editor);
  }

  /* 0 for a word that begins so, 1 for one with a part that does, -1 for another. */
  function rank(word, typed) {
    if (word.startsWith(typed)) return 0;
    return typed.length > 1 && word.includes(typed) ? 1 : -1;
  }

  function show(editor) {
    const { list, area } = editor;
    list.replaceChildren(...editor.words.map((word, place) => {
      const option = element("li", { role: "option", id: list.id + "-" + place, "data-place": place }, element("span", { class: "word" }, word.text));
      if (word.about) option.append(" ", element("span", { class: "soft" }, word.about));
      return option;
    }));
    list.hidden = false;
    const style = getComputedStyle(area), before = area.value.slice(0, area.selectionStart - editor.length).split("\n");
    const high = parseFloat(style.lineHeight), wide = width(area, style), column = before[before.length - 1].length;
    const left = area.offsetLeft + parseFloat(style.paddingLeft) + column * wide - area.scrollLeft;
    const top = area.offsetTop + parseFloat(style.paddingTop) + before.length * high - area.scrollTop;
    list.style.top = Math.max(high, top) + 2 + "px";
    list.style.left = Math.max(0, Math.min(left, area.offsetLeft + area.clientWidth - list.offsetWidth)) + "px";
    activate(editor, 0);
    editor.said.textContent = editor.words.length + (editor.words.length === 1 ? " completion" : " completions");
  }

  /* The width of a letter: the text is set in one of equal widths. */
  function width(area, style) {
    const canvas = width.canvas || (width.canvas = document.createElement("canvas").getContext("2d"));
    canvas.font = style.fontSize + " " + style.fontFamily;
    return canvas.measureText("0").width;
  }

  function activate(editor, place) {
    const options = [...editor.list.children];
    editor.active = (place + options.length) % options.length;
    options.forEach((option, at) => option.setAttribute("aria-selected", String(at === editor.active)));
    options[editor.active].scrollIntoView({ block: "nearest" });
    editor.area.setAttribute("aria-activedescendant", options[editor.active].id);
  }

  function close(editor) {
    if (editor.list.hidden) return;
    editor.words = [];
    editor.list.hidden = true;
    editor.area.removeAttribute("aria-activedescendant");
    tell(editor);
  }

  function take(editor, place) {
    const { area } = editor, word = editor.words[place], behind = area.value.slice(area.selectionEnd);
    const text = word.text + (word.key && !/^[\w"]*\s*:/.test(behind) ? ": " : "");
    area.setSelectionRange(area.selectionStart - editor.length, area.selectionEnd);
    close(editor);
    insert(area, text);
    if (word.key) offer(editor, false);
  }

  /* By the command that a browser can undo. */
  function insert(area, text) {
    area.focus();
    if (!document.execCommand("insertText", false, text)) {
      area.setRangeText(text, area.selectionStart, area.selectionEnd, "end");
      area.dispatchEvent(new InputEvent("input", { bubbles: true, inputType: "insertText", data: text }));
    }
  }

  function key(editor, event) {
    const isOpen = !editor.list.hidden;
    if (event.key === " " && event.ctrlKey) {
      event.preventDefault();
      offer(editor, true);
    } else if (isOpen && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      activate(editor, editor.active + (event.key === "ArrowDown" ? 1 : -1));
    } else if (isOpen && (event.key === "Enter" || event.key === "Tab") && !event.shiftKey) {
      event.preventDefault();
      take(editor, editor.active);
    } else if (isOpen && event.key === "Escape") {
      event.preventDefault();
      event.stopPropagation();
      close(editor);
    } else if (["ArrowLeft", "ArrowRight", "Home", "End"].includes(event.key)) {
      close(editor);
    } else if (event.key === "Enter" && !event.ctrlKey && !event.altKey) {
      event.preventDefault();
      const { area } = editor, line = area.value.slice(0, area.selectionStart).split("\n").pop();
      insert(area, "\n" + line.match(/^\s*/)[0] + (/:\s*$/.test(line) ? "  " : ""));
    }
  }

  /* --- checks ---------------------------------------------------------------------------------------------------- */

  function later(editor) {
    clearTimeout(editor.timer);
    editor.timer = setTimeout(() => check(editor), Math.max(WAIT, 2 * (editor.took || 0)));
  }

  async function check(editor) {
    const { area } = editor, form = area.form, name = form && form.elements.job.value, domain = form && form.elements.domain.value;
    if (!area.dataset.check || !name || !domain) return;
    if (editor.checking) return later(editor);
    const text = area.value, began = performance.now();
    editor.checking = true;
    try {
      const answer = await fetch(area.dataset.check, {
        method: "POST", headers: { "Content-Type": "application/json", Accept: "application/json" }, body: JSON.stringify({ name, domain, yaml: text }),
      });
      const told = answer.ok ? { detail: "" } : await answer.json().catch(() => ({}));
      if (text === area.value) found(editor, answer.ok ? "" : told.detail || "The server answered " + answer.status + ".", name);
    } catch {
      editor.outcome = "The text could not be checked: the server does not answer.";
      tell(editor);
    } finally {
      editor.checking = false;
      editor.took = performance.now() - began;
    }
  }

  /* Marks the lines of the mistakes, and lists them below. */
  function found(editor, detail, name) {
    const lines = detail ? detail.split("\n") : [], own = new RegExp("(?:^|/)" + name + "\\.yaml:(\\d+): (.*)$");
    editor.faulty = new Map();
    editor.mistakes.replaceChildren(...lines.map((line) => {
      const at = line.match(own), item = element("li");
      if (!at) {
        item.textContent = line;
        return item;
      }
      editor.faulty.set(Number(at[1]), at[2]);
      const button = element("button", { type: "button", class: "link" }, "Line " + at[1]);
      button.addEventListener("click", () => go(editor, Number(at[1])));
      item.append(button, " " + at[2]);
      return item;
    }));
    editor.mistakes.hidden = !lines.length;
    editor.outcome = lines.length ? lines.length + (lines.length === 1 ? " mistake." : " mistakes.") : "The whole project is valid with this text.";
    editor.area.setAttribute("aria-invalid", String(lines.length > 0));
    editor.area.dispatchEvent(new CustomEvent("dq:checked", { bubbles: true, detail: { valid: !lines.length } }));
    number(editor);
    tell(editor);
  }

  function tell(editor) {
    editor.said.textContent = editor.outcome || "";
    editor.said.classList.toggle("said-bad", editor.faulty.size > 0 || editor.area.getAttribute("aria-invalid") === "true");
  }

  function go(editor, line) {
    const { area } = editor, lines = area.value.split("\n"), from = lines.slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
    area.focus();
    area.setSelectionRange(from, from + (lines[line - 1] || "").length);
    area.scrollTop = Math.max(0, (line - 4) * parseFloat(getComputedStyle(area).lineHeight));
  }

  document.querySelectorAll("textarea[data-yaml]").forEach(start);
  /* Others set the text and the columns of the file that it is for. */
  window.dqYamlEditor = {
    set(area, text, columns) {
      const editor = area.dqEditor;
      area.value = text;
      if (columns) editor.columns = columns;
      delete area.dataset.changed;
      number(editor);
      later(editor);
    },
  };
})();
