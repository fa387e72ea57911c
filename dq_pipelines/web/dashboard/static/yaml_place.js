/* Where the caret of an editor stands in a table's YAML: the keys above it, and whether a key or a value is typed there.

   It reads the text as it is typed, so it looks at indents, dashes and braces, and needs no valid YAML. */
"use strict";

window.dqYamlPlace = (() => {
  const KEY = /^(\s*)((?:-\s+)*)("[^"]*"|'[^']*'|[^\s#:{}[\],"'][^:{}[\],]*?)\s*:(?:\s|$)/;
  const plain = (key) => key.trim().replace(/^(["'])(.*)\1$/, "$2");

  /* The keys of the blocks around a line, outermost first, each with its indent; "[]" for an item of a list. */
  function blocks(lines, number, indent) {
    const around = [];
    let inner = indent;
    for (let at = number - 1; at >= 0 && inner > 0; at -= 1) {
      const line = lines[at];
      if (!line.trim() || line.trim().startsWith("#")) continue;
      const found = line.match(KEY);
      if (!found) continue;
      /* `- type: x`: the dash opens an item at its own indent, whose keys stand behind it. */
      const outer = found[1].length, own = outer + found[2].length;
      if (own < inner && !line.slice(found[0].length).trim().replace(/^#.*/, "")) {
        around.unshift({ key: plain(found[3]), indent: own, line: at });
        inner = own;
      }
      if (found[2] && outer < inner && own <= inner) {
        around.unshift({ key: "[]", indent: outer, line: at });
        inner = outer + 0.5; // the list's own key may stand at the same indent
      }
    }
    return around;
  }

  /* The value of `type` among the lines of a block of this indent around a line. */
  function typeBeside(lines, number, indent) {
    for (const step of [-1, 1]) {
      for (let at = step < 0 ? number : number + 1; at >= 0 && at < lines.length; at += step) {
        const line = lines[at];
        if (!line.trim() || line.trim().startsWith("#")) continue;
        const found = line.match(KEY), own = found ? found[1].length + found[2].length : line.search(/\S/);
        if (own < indent) break;
        if (own === indent && found && plain(found[3]) === "type") return plain(line.slice(found[0].length).replace(/\s+#.*$/, ""));
        if (step < 0 && found && found[2] && own === indent) break;
        if (step > 0 && found && found[2] && found[1].length < indent) break;
      }
    }
    return "";
  }

  /* The braces and brackets that are open before the caret of a line: each with its key and the keys typed in it so far. */
  function opened(text, after) {
    const open = [];
    let word = "", quote = "", key = after;
    for (const letter of text) {
      const top = open[open.length - 1];
      if (quote) {
        if (letter === quote) quote = "";
        word += letter;
      } else if ((letter === '"' || letter === "'") && !word.trim()) {
        quote = letter;
        word += letter;
      } else if (letter === "{" || letter === "[") {
        open.push({ kind: letter, key, keys: new Map(), last: "" });
        key = "";
        word = "";
      } else if (letter === "}" || letter === "]") {
        open.pop();
        word = "";
      } else if (letter === ":" && top && top.kind === "{") {
        key = plain(word);
        top.last = key;
        top.keys.set(key, "");
        word = "";
      } else if (letter === "," && top) {
        if (top.kind === "{" && key) top.keys.set(key, plain(word));
        if (top.kind === "{") key = "";
        word = "";
      } else {
        word += letter;
      }
    }
    return { open, word: word.trimStart(), key, quoted: Boolean(quote) };
  }

  /* The value of `type` further on in the braces that are open. */
  function typeAfter(text) {
    let depth = 0;
    for (let at = 0; at < text.length; at += 1) {
      if ("{[".includes(text[at])) depth += 1;
      if ("}]".includes(text[at])) depth -= 1;
      if (depth < 0) return "";
      const found = depth === 0 && text.slice(at).match(/^[,{ ]type:\s*([\w:.]+)/);
      if (found) return found[1];
    }
    return "";
  }

  /* The place of the caret: `path` and the `types` beside its keys by depth, `word` that is typed, and whether it is a value. */
  function of(text, caret) {
    const lines = text.split("\n"), before = text.slice(0, caret), number = before.split("\n").length - 1;
    const head = before.slice(before.lastIndexOf("\n") + 1), rest = lines[number].slice(head.length);
    if (/(^|\s)#/.test(head.replace(/"[^"]*"|'[^']*'/g, ""))) return null;
    const found = head.match(KEY), dashes = head.match(/^(\s*)((?:-\s+)*)/);
    const indent = dashes[1].length + dashes[2].length;
    const path = [], types = [], used = new Set();
    const push = (key, type) => { types.push(type); path.push(key); };
    const around = blocks(lines, number, dashes[2] ? dashes[1].length + 0.5 : indent);
    around.forEach((one) => push(one.key, one.key === "[]" ? "" : typeBeside(lines, one.line, one.indent)));
    if (dashes[2]) push("[]", "");
    const flows = opened(found ? head.slice(found[0].length) : head.slice(dashes[0].length), found ? plain(found[3]) : "");
    const type = typeBeside(lines, number, indent);
    if (found) push(plain(found[3]), type);
    if (!flows.open.length) {
      const value = Boolean(found);
      siblings(lines, number, indent).forEach((key) => used.add(key));
      return { path, types: [...types, value ? "" : type], word: value ? flows.word : head.slice(dashes[0].length), value, used, quoted: flows.quoted, flow: false };
    }
    flows.open.forEach((one, depth) => {
      const next = flows.open[depth + 1], own = one.keys.get("type") || (depth === flows.open.length - 1 ? typeAfter(rest) : "");
      if (one.kind === "[") push("[]", "");
      else if (next) push(next.key || one.last, own);
    });
    const top = flows.open[flows.open.length - 1], value = top.kind === "[" || Boolean(flows.key && flows.key === top.last && !isNew(head));
    const own = top.keys.get("type") || typeAfter(rest);
    if (top.kind === "{" && value) push(flows.key, own);
    top.keys.forEach((_, key) => used.add(key));
    return { path, types: [...types, value ? "" : own], word: flows.word, value: value && top.kind === "{" || top.kind === "[", used, quoted: flows.quoted, flow: true, siblings: top.keys };
  }

  /* Whether the next word begins a new key of the braces. */
  const isNew = (head) => /[{,]\s*[\w.]*$/.test(head);

  /* The keys of the block in which a line stands. */
  function siblings(lines, number, indent) {
    const found = [];
    for (const step of [-1, 1]) {
      for (let at = number + step; at >= 0 && at < lines.length; at += step) {
        const key = lines[at].match(KEY);
        if (!lines[at].trim()) continue;
        const own = key ? key[1].length + key[2].length : lines[at].search(/\S/);
        if (own < indent || (step > 0 && key && key[2] && key[1].length < indent)) break;
        if (key && own === indent) found.push(plain(key[3]));
        if (step < 0 && key && key[2] && own === indent) break;
      }
    }
    return found;
  }

  /* The names of the columns that the text declares. */
  function columns(text) {
    const lines = text.split("\n"), start = lines.findIndex((line) => /^\s+columns:\s*(#.*)?$/.test(line));
    if (start < 0) {
      const flow = text.match(/columns:\s*\{([^\n]*)/);
      return flow ? [...flow[1].matchAll(/(?:^|,)\s*("[^"]*"|[\w ]+?)\s*:/g)].map((one) => plain(one[1])) : [];
    }
    const outer = lines[start].search(/\S/), found = [];
    let own = -1;
    for (const line of lines.slice(start + 1)) {
      if (!line.trim() || line.trim().startsWith("#")) continue;
      const indent = line.search(/\S/), key = line.match(KEY);
      if (indent <= outer) break;
      if (own < 0) own = indent;
      if (indent === own && key) found.push(plain(key[3]));
    }
    return found;
  }

  return { of, columns };
})();
