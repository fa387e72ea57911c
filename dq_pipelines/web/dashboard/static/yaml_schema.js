/* What a table's YAML may say at a place: keys, and values of a key, from the JSON Schema that `dq schema` writes.

   A place is a list of keys, with "[]" for an item of a list and the keys of mappings as they stand. */
"use strict";

window.dqYaml = (() => {
  let schema = null;

  async function load(address) {
    if (schema === null) schema = fetch(address).then((answer) => answer.json()).catch(() => { schema = null; return null; });
    return schema;
  }

  const resolved = (root, node) => (node && node.$ref ? resolved(root, root.$defs[node.$ref.split("/").pop()]) : node);

  /* The alternatives of a schema, each without references. */
  function alternatives(root, node, seen = new Set()) {
    const one = resolved(root, node);
    if (!one || seen.has(one)) return [];
    seen.add(one);
    const several = [...(one.anyOf || []), ...(one.oneOf || []), ...(one.allOf || [])].flatMap((other) => alternatives(root, other, seen));
    const branches = [one.then, one.else].filter(Boolean).flatMap((other) => alternatives(root, other, seen));
    return [one, ...several, ...branches];
  }

  /* Of alternatives that name their `type`, those whose type is given; all others stay. */
  function fitting(nodes, type) {
    const named = nodes.filter((one) => type && one.properties && one.properties.type && values(one.properties.type).includes(type));
    return named.length ? [...named, ...nodes.filter((one) => !one.properties)] : nodes;
  }

  const values = (node) => (node.const !== undefined ? [node.const] : node.enum || []);

  /* The alternatives at a place; `types` are the values of `type` beside the keys on the way, by depth. */
  function at(root, place, types) {
    let nodes = alternatives(root, root);
    place.forEach((key, depth) => {
      nodes = fitting(nodes, types[depth]).flatMap((one) => {
        if (key === "[]") return one.items ? alternatives(root, one.items) : [];
        if (one.properties && one.properties[key]) return alternatives(root, one.properties[key]);
        return one.additionalProperties && typeof one.additionalProperties === "object" ? alternatives(root, one.additionalProperties) : [];
      });
    });
    return fitting(nodes, types[place.length]);
  }

  /* The keys at a place: name and description, each once. */
  function keys(root, place, types) {
    const found = new Map();
    for (const one of at(root, place, types)) {
      for (const [name, node] of Object.entries(one.properties || {})) {
        if (!found.has(name)) found.set(name, about(root, node));
      }
    }
    return [...found].map(([name, said]) => ({ text: name, about: said }));
  }

  const about = (root, node) => (node.description || (resolved(root, node) || {}).description || "").split("\n")[0];

  /* The values of a key that the schema lists. */
  function listed(root, place, types) {
    const found = new Map();
    for (const one of at(root, place, types)) {
      for (const value of values(one)) if (typeof value === "string" && value.trim() === value && value) found.set(value, "");
      if (one.type === "boolean") ["true", "false"].forEach((value) => found.set(value, ""));
    }
    if (place[place.length - 1] === "type") described(root, place, types).forEach((said, value) => { if (found.has(value)) found.set(value, said); });
    return [...found].map(([text, said]) => ({ text, about: said }));
  }

  /* What each `type` is, by its model's description. */
  function described(root, place, types) {
    const found = new Map(), above = at(root, place.slice(0, -1), types.slice(0, -1));
    for (const one of above) {
      if (one.properties && one.properties.type) values(one.properties.type).forEach((value) => found.set(value, (one.description || "").split("\n")[0]));
    }
    return found;
  }

  return { load, keys, listed };
})();
